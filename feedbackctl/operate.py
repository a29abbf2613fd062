"""What an operator does to a deployed stack: reinstate a contact, redrive a queue."""

import base64
import gzip
import time
from datetime import datetime
from typing import Any, Protocol

import click

from ses_feedback.address import AddressError, parse_address
from ses_feedback.contact import Contact, Evidence, merge
from ses_feedback.handlers.clients import Clients
from ses_feedback.handlers.clock import utc_now
from ses_feedback.quarantine import NOT_CARRIED
from ses_feedback.settings import Settings
from ses_feedback.store import ContactStore
from ses_feedback.stored import become

_RACES = 10


class Sqs(Protocol):
    """The calls of botocore's SQS client that are made here."""

    def receive_message(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def send_message(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def delete_message(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class OperatorError(click.ClickException):
    """What was asked for could not be done; the message says why, and what to do."""


def reinstate_contact(store: ContactStore, address: str, reason: str, settings: Settings) -> str:
    """Let the contact of `address` be mailed again and return its status; everything else follows from the contact.

    Raises:
        OperatorError: it is no address, the contact can't be read or written now.

    """
    try:
        parsed = parse_address(address)
    except AddressError as error:
        raise OperatorError(f"{error}; give the bare address, as in someone@example.com") from None
    said = Contact(parsed.key, (parsed.spelling,), opted_in=Evidence(_to_the_millisecond(utc_now()), reason))
    failed: dict[str, str] = {}
    lost: str | None = None
    for _ in range(_RACES):
        stored = store.read([parsed.key], failed, consistent=True).get(parsed.key)
        if stored is None:
            raise OperatorError(f"the contact can't be read: {failed[parsed.key]}; see docs/runbook.md")
        after = become(stored, merge(stored.contact, said), settings.limits, utc_now())
        if after is None:
            return stored.status.value
        lost = store.write(after)
        if lost is None:
            return after.status.value
    raise OperatorError(f"the contact can't be written: {lost}; try again")


def _to_the_millisecond(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def redrive_queue(sqs: Sqs, source: str, target: str) -> tuple[int, int]:
    """Move every message from the queue `source` to `target`; return how many were moved, and how many were left.

    A message goes over as it came to quarantine, unpacked if it was packed. What the target does not take as it is
    (text SQS does not carry) is left where it is.
    """
    moved = left = 0
    while True:
        # The time they stay invisible keeps what is left from being counted again in this run.
        answer = sqs.receive_message(
            QueueUrl=source,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=900,
            WaitTimeSeconds=1,
        )
        messages = answer.get("Messages", [])
        if not messages:
            return moved, left
        for message in messages:
            text = _text(message)
            if text is None:
                left += 1
                continue
            sqs.send_message(QueueUrl=target, MessageBody=text)
            sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
            moved += 1


def _text(message: dict[str, Any]) -> str | None:
    """Return the text a message came with, None when SQS does not carry it as it is."""
    if "encoding" not in message.get("MessageAttributes", {}):
        return str(message["Body"])
    text = gzip.decompress(base64.b64decode(message["Body"])).decode("utf-8", "replace")
    return text if text and not NOT_CARRIED.search(text) else None


@click.command(short_help="Let a contact be mailed again.")
@click.argument("address")
@click.option("--table", required=True, metavar="NAME", help="The stack's output ContactsTableName.")
@click.option("--reason", required=True, help="Who asked for it, and why: kept on the contact.")
@click.option("--suppress-unsubscribed", is_flag=True, help="The stack's SuppressUnsubscribed is true.")
def reinstate(address: str, table: str, reason: str, *, suppress_unsubscribed: bool) -> None:
    """Let the contact of ADDRESS be mailed again, on somebody's authority.

    Only what SES reports from now on counts. The suppression list follows within minutes: until then SES still refuses
    mail to the address, and says so, which does not count for a day.
    """
    settings = Settings(table, suppress_unsubscribed=suppress_unsubscribed)
    store = ContactStore(
        Clients().dynamodb,
        table,
        settings.limits,
        history_days=settings.history_days,
        now=utc_now,
        sleep=time.sleep,
    )
    click.echo(f"The contact is {reinstate_contact(store, address, reason, settings)}.")


@click.command(short_help="Send what waits in one queue through a lane again.")
@click.option("--from", "source", required=True, metavar="URL", help="The queue to empty: quarantine, for example.")
@click.option("--to", "target", required=True, metavar="URL", help="The lane's queue; any lane takes any feedback.")
def redrive(source: str, target: str) -> None:
    """Send every message of one queue to another, as it came. Feedback that was applied before changes nothing."""
    moved, left = redrive_queue(Clients().sqs, source, target)
    click.echo(f"Moved {moved}, left {left} that SQS can't carry as they are.")
