"""Entries of the SES suppression list, looked up one by one through the stack's rate limiter."""

from datetime import timedelta
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from feedbackctl.aws_failures import describe_failure
from feedbackctl.contacts.denials import RATE_LIMITER, describe_code
from feedbackctl.stack import Stack
from ses_feedback.aws.errors import AWS_ERRORS, error_code
from ses_feedback.contacts.contact import Contact
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.timestamps import format_timestamp

_PATIENCE = timedelta(seconds=15)
"""Time that a call may wait for the rate limiter, which the stack's own sync uses as well."""


class ListEntry(NamedTuple):
    """One variant of an address on the suppression list. `problem` says why SES did not answer."""

    variant: str
    reason: str = ""
    since: str = ""
    message_id: str = ""
    problem: str = ""


class AccountList(NamedTuple):
    """The reasons for which SES uses the account's list (None: unknown, see `problem`)."""

    suppressed_reasons: tuple[str, ...] | None
    problem: str = ""


def look_up_entries(stack: Stack, contact: Contact, most: int) -> list[ListEntry]:
    """Return the entry of each variant of a contact's address, of at most `most` variants.

    SES compares the case of the local part in this call:
    https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
    """
    variants = list(dict.fromkeys((contact.address, *contact.variants)))
    return [_look_up(stack, variant) for variant in variants[:most]]


def read_account_list(stack: Stack) -> AccountList:
    """Return the reasons for which SES uses the account's list. An entry with another reason blocks nothing.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html
    """
    answer = _call(stack, "get_account")
    if isinstance(answer, str):
        return AccountList(None, answer)
    attributes = answer.get("SuppressionAttributes") or {}
    reasons = attributes.get("SuppressedReasons")
    return AccountList(None if reasons is None else tuple(reasons))


def _look_up(stack: Stack, variant: str) -> ListEntry:
    answer = _call(stack, "get_suppressed_destination", EmailAddress=variant)
    if isinstance(answer, str):
        return ListEntry(variant, problem=answer)
    found = answer.get("SuppressedDestination")
    if not found:
        return ListEntry(variant)
    attributes = found.get("Attributes") or {}
    return ListEntry(
        variant,
        str(found.get("Reason", "")),
        format_timestamp(found["LastUpdateTime"]) if found.get("LastUpdateTime") else "",
        str(attributes.get("MessageId", "")),
    )


def _call(stack: Stack, operation: str, **request: str) -> dict[str, Any] | str:
    """Return the response, an empty one if there is no such entry, or why SES did not answer."""
    refusal = stack.rate_limiter.acquire(utc_now() + _PATIENCE)
    if refusal:
        return f"the stack's rate limiter gave no turn ({describe_code(refusal.code, RATE_LIMITER)}); try again later"
    try:
        answer: dict[str, Any] = getattr(stack.aws.ses, operation)(**request)
    except ClientError as error:
        return {} if error_code(error) == "NotFoundException" else describe_failure(error) or error_code(error)
    except AWS_ERRORS as error:
        return describe_failure(error) or error_code(error)
    return answer
