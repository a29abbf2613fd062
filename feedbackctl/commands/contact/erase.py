"""`feedbackctl contact erase`: erase a contact's personal data, and keep the objection."""

from datetime import timedelta

import click

from feedbackctl.contacts.addresses import parse_argument
from feedbackctl.contacts.changes import truncate_to_milliseconds
from feedbackctl.contacts.denials import RATE_LIMITER, describe_code
from feedbackctl.contacts.erasure import erase_contact, forget_contact, receipt
from feedbackctl.contacts.history import OperatorAction
from feedbackctl.contacts.reading import read_contact
from feedbackctl.errors import OperatorError
from feedbackctl.operator_options import Target, json_option, reason_option, stack_options, yes_option
from feedbackctl.stack import Stack
from feedbackctl.terminal.confirmation import confirm
from feedbackctl.terminal.output import Format, print_document
from feedbackctl.terminal.tables import print_rows
from ses_feedback.contacts.contact import Contact
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.suppression.entries import entries_of
from ses_feedback.suppression.list_client import SuppressionListClient

JSON_FIELDS = {
    "address": "the contact's key",
    "status": "the status that stays; `active` with --forget",
    "forgotten": "whether the contact itself was deleted",
    "receipt": "every place that may still hold the address: `place`, `until` (empty: kept, see `why`) and `why`",
}
_PATIENCE = timedelta(minutes=5)


@click.command
@click.argument("address")
@click.option("--forget", is_flag=True, help="Also remove the list entry and the contact. Then nothing protects it.")
@reason_option
@yes_option
@json_option
@stack_options
def erase(target: Target, address: str, reason: str, output_format: Format, *, forget: bool, yes: bool) -> None:
    """Erase the history, reasons, tags and other applications' attributes of ADDRESS.

    The address and the objection stay, because without them the address would be emailed again (docs/operate/privacy.md
    has the reasons). With --forget the entry on the suppression list and then the contact are removed as well: email to
    the address is possible again, and it may bounce or complain. The receipt lists every place that may still hold the
    address, and until when.
    """
    parsed = parse_argument(address)
    stack = target.find_stack()
    record = read_contact(stack, parsed.key)
    confirm(f"Erase {'the contact and its list entry' if forget else 'the history of the contact'}?", yes=yes)
    now = truncate_to_milliseconds(utc_now())
    if forget:
        _delete_entries(stack, record.contact)
        forget_contact(stack, parsed.key)
        record = read_contact(stack, parsed.key)
    else:
        record = erase_contact(stack, parsed.key, OperatorAction("erase", stack.aws.caller.arn, now, reason))
    places = receipt(stack, record, now, forgotten=forget)
    if output_format is Format.JSON:
        fields = {"address": parsed.key, "status": record.status.value, "forgotten": forget}
        print_document(fields | {"receipt": [place._asdict() for place in places]})
        return
    click.echo(f"The contact is {'forgotten' if forget else f'erased; it stays {record.status.value}'}.")
    click.echo("\nPlaces that may still hold the address:")
    print_rows(("Place", "Until", "Why"), ((one.place, one.until[:10] or "kept", one.why) for one in places))


def _delete_entries(stack: Stack, contact: Contact) -> None:
    """Delete each variant of the address from the list.

    Raises:
        OperatorError: SES did not delete an entry. The contact is unchanged.

    """
    ses = SuppressionListClient(stack.aws.ses)
    for entry in entries_of(contact, None):
        no_turn = stack.rate_limiter.acquire(utc_now() + _PATIENCE)
        refusal = no_turn or ses.delete(entry)
        if refusal:
            reason = describe_code(refusal.code, RATE_LIMITER if no_turn else "ses:DeleteSuppressedDestination")
            raise OperatorError(f"SES did not delete the list entry ({reason}). The contact is unchanged. Try again.")
