"""Output of `feedbackctl list`: differences in words, with numbers and samples."""

import click

from feedbackctl.contacts.list_entries import AccountList
from feedbackctl.list_comparison.differences import Comparison, Difference
from feedbackctl.printable import printable
from feedbackctl.terminal.tables import print_rows
from ses_feedback.judging.facts import ListReason

JSON_FIELDS = {
    "suppressed_reasons": "reasons for which SES uses the list (null: unknown); other entries block nothing",
    "entries": "number of entries on the list",
    "differences": "by name (the first column below): `count`, and ten `samples`",
}
MEANINGS = {
    Difference.IN_STEP: "as the contact requires",
    Difference.PENDING: "the stack still has to write it",
    Difference.MISSING: "a contact requires an entry, and the list has none",
    Difference.OTHER_REASON: "the entry says BOUNCE, the contact requires COMPLAINT",
    Difference.STALE: "left over: the stack wrote it, or the contact was reinstated later",
    Difference.WITHOUT_CONTACT: "no contact: SES or another program added it",
    Difference.NOT_REQUIRED: "the contact does not require it; not written by the stack",
    Difference.NOT_UNDERSTOOD: "the address, the reason or the contact cannot be read",
    Difference.UNLISTABLE: "a contact requires an entry, and SES accepts none for the address",
}


def print_comparison(account: AccountList, comparison: Comparison) -> None:
    """Print the reasons of the account, and each kind of difference."""
    click.echo(_describe_account(account))
    click.echo(f"Entries: {comparison.entries}\n")
    rows = [(one.value, str(comparison.counts[one]), MEANINGS[one]) for one in Difference if comparison.counts[one]]
    print_rows(("Difference", "Number", "Meaning"), rows)
    for one, samples in sorted(comparison.samples.items(), key=lambda item: list(Difference).index(item[0])):
        if samples:
            click.echo(f"\n{one.value}:")
            for address in samples:
                click.echo(f"  {printable(address)}")
    click.echo()


def _describe_account(account: AccountList) -> str:
    if account.suppressed_reasons is None:
        return f"For which reasons SES uses the list is unknown: {account.problem}."
    missing = [reason.value for reason in ListReason if reason not in account.suppressed_reasons]
    if missing:
        return f"SES ignores entries with the reason {', '.join(missing)}: `feedbackctl doctor` has the command."
    return "SES uses entries with the reasons BOUNCE and COMPLAINT."
