"""`feedbackctl list reconcile`: differences between the suppression list and the contacts, repaired."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import click

from feedbackctl.commands.list import difference_report
from feedbackctl.commands.list.difference_report import print_comparison
from feedbackctl.contacts.batch_results import BatchResults
from feedbackctl.contacts.changes import truncate_to_milliseconds
from feedbackctl.contacts.history import OperatorAction
from feedbackctl.contacts.list_entries import AccountList, read_account_list
from feedbackctl.contacts.operations import Operation, OperationStore, State
from feedbackctl.list_comparison.differences import Comparison, compare
from feedbackctl.list_comparison.reconciliation import Reconciliation
from feedbackctl.operator_options import Target, json_option, reason_option, stack_options, yes_option
from feedbackctl.stack import Stack
from feedbackctl.terminal.confirmation import confirm_count
from feedbackctl.terminal.output import Format, print_document
from feedbackctl.terminal.progress import show_progress
from feedbackctl.terminal.tables import print_numbers
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.immutable import replace

JSON_FIELDS = {
    **difference_report.JSON_FIELDS,
    "operation": "id of the operation (null: nothing to repair, or no --apply)",
    "results": "numbers of contacts by result: `repaired`, `pending` (the stack was about to write them), `failed`",
}
_SELECTION = "reconcile the suppression list"


@click.command
@click.option("--apply", is_flag=True, help="Repair. Without it, only print what would be repaired.")
@reason_option
@yes_option
@json_option
@stack_options
def reconcile(target: Target, *, apply: bool, reason: str, output_format: Format, yes: bool) -> None:
    """Repair the differences `missing`, `other_reason` and `stale` of `list diff`.

    The contacts are marked, and the stack writes their entries within minutes, at the rate of its calls. All other
    entries stay as they are: those without a contact, and those of which nothing shows that the stack wrote them. A
    second run finds nothing to do. If it is interrupted, the same command continues it.
    """
    stack = target.find_stack()
    account = read_account_list(stack)
    comparison = Comparison()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        try:
            with show_progress("Comparing") as advance:
                file.writelines(f"{address}\n" for address in compare(stack, comparison, advance))
            _Run(stack, account, comparison, reason, output_format, yes=yes).finish(file, apply=apply)
        finally:
            comparison.close()


@dataclass
class _Run:
    """One run of the command, after the comparison."""

    stack: Stack
    account: AccountList
    comparison: Comparison
    reason: str
    output_format: Format
    yes: bool

    def finish(self, file: IO[str], *, apply: bool) -> None:
        if self.output_format is Format.TABLE:
            print_comparison(self.account, self.comparison)
        operation, results = None, BatchResults()
        if apply:
            store = OperationStore(self.stack)
            operation = store.find_unfinished(_SELECTION)
            if self.comparison.repairs:
                confirm_count(self.comparison.repairs, "repair them", yes=self.yes)
                operation = operation or self._create(store)
                results = self._repair(file, operation)
            if operation and not results.counts["failed"]:
                store.save(replace(operation, state=State.DONE))
        self._print(operation, results.counts)
        results.require_all("contacts were not repaired")

    def _create(self, store: OperationStore) -> Operation:
        at = truncate_to_milliseconds(utc_now())
        operation = store.create(_SELECTION, self.reason, self.stack.aws.caller.arn, at)
        running = replace(operation, state=State.RUNNING, contacts=self.comparison.repairs)
        store.save(running)
        return running

    def _repair(self, file: IO[str], operation: Operation) -> BatchResults:
        action = OperatorAction("reconcile", operation.caller, operation.at, operation.reason, operation.id)
        work = Reconciliation(self.stack, action, self.comparison.index)
        with show_progress("Repairing", self.comparison.repairs) as advance:
            work.run(_read_lines(file), advance)
        return work.results

    def _print(self, operation: Operation | None, results: Counter[str]) -> None:
        if self.output_format is Format.JSON:
            reasons = self.account.suppressed_reasons
            fields = {"suppressed_reasons": None if reasons is None else list(reasons), **self.comparison.as_json()}
            print_document(fields | {"operation": operation.id if operation else None, "results": dict(results)})
            return
        if operation is None:
            click.echo("Nothing was changed.")
            return
        print_numbers(results)
        click.echo(f"Operation {operation.id}. The stack writes the entries now.")


def _read_lines(file: IO[str]) -> Iterator[str]:
    file.seek(0)
    return (line.rstrip("\n") for line in file)
