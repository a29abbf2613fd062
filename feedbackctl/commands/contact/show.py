"""`feedbackctl contact show`: may email be sent to an address, and why not."""

from typing import Any

import click

from feedbackctl.contacts.addresses import parse_argument
from feedbackctl.contacts.list_entries import AccountList, ListEntry, look_up_entries, read_account_list
from feedbackctl.contacts.reading import read_contact
from feedbackctl.contacts.remedies import describe_undo
from feedbackctl.contacts.view import describe_contact
from feedbackctl.operator_options import Target, json_option, stack_options
from feedbackctl.printable import printable_lines
from feedbackctl.terminal.output import Format, print_document
from feedbackctl.terminal.tables import print_fields
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.settings import Settings

TWO_VARIANTS, ALL_VARIANTS = 2, 17
JSON_FIELDS = {
    "contact": "the contact (see [Fields of a contact](#fields-of-a-contact))",
    "streams": "each declared stream, and whether email of it may be sent",
    "undo": "what would undo the status",
    "list_entries": "for each variant that was looked up: `variant`, `reason` (empty: not listed), `since`, "
    "`message_id`, `blocks` (null: unknown) and `problem`",
    "suppressed_reasons": "reasons for which SES uses the account's list (null: unknown)",
    "variants_not_looked_up": "number of variants beyond the first two, without `--all-variants`",
}


@click.command
@click.argument("address")
@click.option("--all-variants", is_flag=True, help="Look up every form of the address, one a second. [default: two]")
@json_option
@stack_options
def show(target: Target, address: str, output_format: Format, *, all_variants: bool) -> None:
    """Show whether email may be sent to ADDRESS, since when and why not, and its entry on the SES suppression list.

    Exit code 3 if SES did not answer: then the contact is shown without its list entry.
    """
    parsed = parse_argument(address)
    stack = target.find_stack()
    record = read_contact(stack, parsed.key)
    account = read_account_list(stack)
    entries = look_up_entries(stack, record.contact, ALL_VARIANTS if all_variants else TWO_VARIANTS)
    document = _document(record, stack.settings, entries, account)
    if output_format is Format.JSON:
        print_document(document)
    else:
        print_fields(_fields(document))
    if account.problem or any(entry.problem for entry in entries):
        if account.problem:
            click.echo(printable_lines(f"For which reasons SES uses its list is unknown: {account.problem}"), err=True)
        click.echo("SES did not answer every question about its list.", err=True)
        raise click.exceptions.Exit(3)


def _document(
    record: ContactRecord, settings: Settings, entries: list[ListEntry], account: AccountList
) -> dict[str, Any]:
    contact = describe_contact(record, settings.limits)
    variants = len({record.contact.address, *record.contact.variants})
    return {
        "contact": contact,
        "streams": {
            name: contact["may_send"] and name not in contact["no_streams"]
            for name in sorted({*settings.streams, *contact["no_streams"]})
        },
        "undo": describe_undo(record, settings.limits),
        "list_entries": [entry._asdict() | {"blocks": _blocks(entry, account)} for entry in entries],
        "suppressed_reasons": account.suppressed_reasons,
        "variants_not_looked_up": variants - len(entries),
    }


def _blocks(entry: ListEntry, account: AccountList) -> bool | None:
    """Return whether SES refuses email because of the entry, or None if that is unknown."""
    if entry.problem or (entry.reason and account.suppressed_reasons is None):
        return None
    return bool(entry.reason) and entry.reason in (account.suppressed_reasons or ())


def _fields(document: dict[str, Any]) -> list[tuple[str, str]]:
    contact = document["contact"]
    rows = [("address", contact["address"]), ("bulk email", _yes_no(contact["may_send"]))]
    rows += [(f"  stream {name}", _yes_no(may)) for name, may in document["streams"].items()]
    rows.append(("transactional email", _yes_no(contact["may_send_transactional"])))
    rows.append(("status", contact["status"]))
    if not contact["known"]:
        rows.append(("history", "no feedback about this address is stored"))
    rows += [
        (name.replace("_", " "), contact[name])
        for name in ("since", "reason", "status_code", "configuration_set", "message_id", "release_at")
        if contact[name]
    ]
    if contact["tags"]:
        rows.append(("tags", ", ".join(f"{name}={value}" for name, value in contact["tags"].items())))
    rows += [("SES list", _describe_entry(entry)) for entry in document["list_entries"]]
    if document["variants_not_looked_up"]:
        rows.append(("", f"{document['variants_not_looked_up']} more forms of the address: --all-variants"))
    if contact["pending"]:
        rows.append(("list sync", "pending: the list or an event still has to follow the last change"))
    rows.append(("to undo", document["undo"]))
    return rows


def _describe_entry(entry: dict[str, Any]) -> str:
    if entry["problem"]:
        return f"{entry['variant']}: unknown, {entry['problem']}"
    if not entry["reason"]:
        return f"{entry['variant']}: no entry"
    effect = {True: "SES refuses email", False: "blocks nothing: not in SuppressedReasons", None: "effect unknown"}
    since = f" since {entry['since']}" if entry["since"] else ""
    return f"{entry['variant']}: {entry['reason']}{since}, {effect[entry['blocks']]}"


def _yes_no(value: bool) -> str:  # noqa: FBT001 (the value to print)
    return "yes" if value else "no"
