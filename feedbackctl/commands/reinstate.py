"""`feedbackctl reinstate`: allow email to an address again."""

import re
import time
from datetime import datetime

import click

from feedbackctl.aws_clients import create_client
from feedbackctl.errors import OperatorError
from ses_feedback.address import Address, AddressError, parse_address
from ses_feedback.contacts.contact import Contact, Evidence, merge
from ses_feedback.contacts.record import become
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Standing, Status, standing
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.settings import Settings
from ses_feedback.timestamps import format_timestamp

_WRITE_ATTEMPTS = 10
"""Attempts to write the contact. Each fails if another process writes the contact between the read and the write."""
_REASON_LENGTH = 500
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Bytes of a command-line argument that are not text (https://peps.python.org/pep-0383/)."""


@click.command
@click.argument("address")
@click.option("--table", required=True, metavar="NAME", help="The table: the stack's output ContactsTableName.")
@click.option(
    "--reason",
    required=True,
    help=f"The person who asked for it, and why. It is stored on the contact; at most {_REASON_LENGTH} characters.",
)
@click.option(
    "--they-asked",
    is_flag=True,
    help="The person asked for email again. Then complaints and opt-outs no longer count either.",
)
@click.option(
    "--suppress-unsubscribed", is_flag=True, help="Set if the stack's parameter SuppressUnsubscribed is true."
)
def reinstate(address: str, table: str, reason: str, *, they_asked: bool, suppress_unsubscribed: bool) -> None:
    """Allow email to ADDRESS again.

    Bounces from before the reinstatement no longer count. Complaints and opt-outs stay, because only the person can
    withdraw them: give --they-asked if the person did. The address leaves the SES suppression list within
    minutes. Until then SES refuses email to it and reports bounces of its own (OnAccountSuppressionList). These do not
    count for one day.
    """
    settings = Settings(table, suppress_unsubscribed=suppress_unsubscribed)
    repository = ContactRepository(
        create_client("dynamodb"),
        table,
        settings.limits,
        history_days=settings.history_days,
        now=utc_now,
        sleep=time.sleep,
    )
    status = reinstate_contact(repository, address, reason, settings, they_asked=they_asked)
    click.echo(f"The contact is {status}.")
    if status in {Status.COMPLAINED, Status.UNSUBSCRIBED}:
        click.echo("Only the person can withdraw this: give --they-asked if the person asked for email again.")


def reinstate_contact(
    repository: ContactRepository, address: str, reason: str, settings: Settings, *, they_asked: bool = False
) -> str:
    """Store the reinstatement on the contact of `address`, and return the contact's status.

    `they_asked` is True if the person asked for email again: then complaints and opt-outs no longer count either.

    SuppressionFunction updates the suppression list and publishes the change.

    Raises:
        OperatorError: the address or the reason is invalid, DynamoDB failed, or the contact has evidence that is newer
            than this machine's clock. Newer evidence is not overridden.

    """
    parsed = _parse(address)
    now = _truncate_to_milliseconds(utc_now())
    evidence = Evidence(now, _validate_reason(reason))
    reinstatement = Contact(
        parsed.key,
        (parsed.variant,),
        opted_in=evidence if they_asked else None,
        cleared=None if they_asked else evidence,
    )
    unread: dict[str, str] = {}
    refusal: str | None = None
    for _ in range(_WRITE_ATTEMPTS):
        stored = repository.read([parsed.key], unread, consistent=True).get(parsed.key)
        if stored is None:
            raise OperatorError(f"the contact cannot be read: {unread[parsed.key]}; see docs/operate/runbook.md")
        reinstated = merge(stored.contact, reinstatement)
        _refuse_newer_evidence(standing(reinstated, settings.limits), now)
        changed = become(stored, reinstated, settings.limits, utc_now())
        if changed is None:
            return stored.status.value
        refusal = repository.write(changed)
        if refusal is None:
            return changed.status.value
    raise OperatorError(f"the contact cannot be written: {refusal}; try again")


def _parse(address: str) -> Address:
    try:
        return parse_address(address)
    except AddressError as error:
        raise OperatorError(f"{error}; give the bare address, as in someone@example.com") from None


def _validate_reason(text: str) -> str:
    """Return the reason without surrounding space. DynamoDB reads and writes it with each feedback of the contact."""
    reason = text.strip()
    if not reason:
        raise OperatorError("the reason is empty; name the person who asked for the reinstatement, and why")
    if len(reason) > _REASON_LENGTH:
        raise OperatorError(f"the reason has {len(reason)} characters; shorten it to {_REASON_LENGTH}")
    if _SURROGATE.search(reason):
        raise OperatorError("the reason is not in this terminal's encoding; write it in UTF-8")
    return reason


def _refuse_newer_evidence(current: Standing, now: datetime) -> None:
    """Raise an OperatorError if evidence is newer than the reinstatement.

    Either this machine's clock is slow or the evidence has a date in the future. A reinstatement with the date of that
    evidence would override all feedback until then, which can be years.
    """
    if current.evidence and current.evidence.at > now:
        raise OperatorError(
            f"the contact is {current.status} by evidence of {format_timestamp(current.evidence.at)}, which is newer "
            f"than this machine's clock ({format_timestamp(now)}). Nothing was changed. Set the clock, or wait until "
            "then, and try again"
        )


def _truncate_to_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
