"""`feedbackctl contact explain`: the whole history of a contact."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

import click

from feedbackctl.aws_failures import describe_failure
from feedbackctl.contacts.addresses import parse_argument
from feedbackctl.contacts.denials import RATE_LIMITER, describe_code
from feedbackctl.contacts.explanation import describe_entry, narrate
from feedbackctl.contacts.history import HistoryEntry, read_history
from feedbackctl.contacts.reading import read_contact
from feedbackctl.contacts.remedies import describe_undo
from feedbackctl.contacts.view import describe_contact
from feedbackctl.operator_options import Target, json_option, stack_options
from feedbackctl.printable import printable
from feedbackctl.stack import Stack
from feedbackctl.terminal.output import Format, print_document
from feedbackctl.terminal.tables import print_fields
from ses_feedback.aws.errors import AWS_ERRORS, error_code
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits
from ses_feedback.handlers.deadline import utc_now

JSON_FIELDS = {
    "contact": "the contact (see [Fields of a contact](#fields-of-a-contact))",
    "history": "feedback and operator actions in order of time. Feedback has the fields of the SES event, and "
    "`verdict`, `rule`, `effect`, `reason` and `sender_fault`; an operator action has `action`, `caller`, `reason`, "
    "`operation` and `stream`",
    "insights": "with `--insights`: for each message id, its SES message insights, or why there are none",
    "undo": "what would undo the status",
}
_MESSAGE_ID = re.compile(r"[A-Za-z0-9._-]{1,255}")
MOST_MESSAGES = 20


@click.command
@click.argument("address")
@click.option(
    "--insights",
    is_flag=True,
    help="Ask SES for the insights of each message, one a second (with Virtual Deliverability Manager only).",
)
@json_option
@stack_options
def explain(target: Target, address: str, output_format: Format, *, insights: bool) -> None:
    """Show the history of ADDRESS in order: SES event, verdict, rule and effect, and what operators did.

    The last line states what would undo the status. Deliveries leave no history.
    """
    parsed = parse_argument(address)
    stack = target.find_stack()
    record = read_contact(stack, parsed.key)
    history = read_history(stack.aws.client("dynamodb"), stack.table, parsed.key)
    found = _read_insights(stack, history) if insights else {}
    print_explanation(record, stack.settings.limits, history, output_format, found)


def print_explanation(
    record: ContactRecord,
    limits: Limits,
    history: Sequence[HistoryEntry],
    output_format: Format,
    insights: Mapping[str, str],
) -> None:
    """Print a contact with its history, the insights of its messages, and what would undo its status."""
    contact, undo = describe_contact(record, limits), describe_undo(record, limits)
    if output_format is Format.JSON:
        entries = [describe_entry(entry) for entry in history]
        print_document({"contact": contact, "history": entries, "insights": insights, "undo": undo})
        return
    click.echo(printable(f"{contact['address']} is {contact['status']}."))
    if not history:
        click.echo("No history is stored: there was only delivered email, or it has expired (HistoryDays).")
    print_fields(narrate(history))
    for message_id, insight in insights.items():
        click.echo(printable(f"insights of {message_id}: {insight}"))
    click.echo(printable(f"To undo: {undo}."))


def _read_insights(stack: Stack, history: list[HistoryEntry]) -> dict[str, str]:
    """Return the insights of the latest messages, or why SES has none.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetMessageInsights.html
    """
    message_ids = dict.fromkeys(
        entry.message_id for entry in reversed(history) if _MESSAGE_ID.fullmatch(entry.message_id)
    )
    return {message_id: _read_insight(stack, message_id) for message_id in list(message_ids)[:MOST_MESSAGES]}


def _read_insight(stack: Stack, message_id: str) -> str:
    refusal = stack.rate_limiter.acquire(utc_now() + timedelta(seconds=60))
    if refusal:
        return f"the stack's rate limiter gave no turn ({describe_code(refusal.code, RATE_LIMITER)})"
    try:
        answer = stack.aws.ses.get_message_insights(MessageId=message_id)
    except AWS_ERRORS as error:
        return describe_failure(error) or error_code(error)
    events = [event for insight in answer.get("Insights", []) for event in insight.get("Events", [])]
    return ", ".join(f"{event.get('Type', '')} {event.get('Timestamp', '')}".strip() for event in events) or "no events"
