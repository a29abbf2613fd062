"""Output of `feedbackctl contact import`."""

from collections.abc import Mapping
from typing import Any

import click

from feedbackctl.contact_import.judgement import Outcome
from feedbackctl.contact_import.plan import Plan
from feedbackctl.printable import printable
from feedbackctl.suppression_files.model import Kind
from feedbackctl.suppression_files.reader import SuppressionFile
from feedbackctl.terminal.output import Format, print_document
from feedbackctl.terminal.tables import print_numbers, print_rows
from ses_feedback.timestamps import format_timestamp

OUTCOMES = {
    Outcome.IMPORT: "import",
    Outcome.KNOWN: "known already",
    Outcome.DELIVERED_SINCE: "skip: email was delivered since (--force imports it)",
    Outcome.REINSTATED_SINCE: "skip: reinstated or opted in since",
    Outcome.SOFT: "skip: not a hard bounce (--include-soft imports it as one)",
    Outcome.NOT_SUPPRESSED: "skip: not suppressed there",
    Outcome.SIMULATOR: "skip: mailbox simulator",
    Outcome.UNREADABLE: "skip: the contact's item is unreadable, see the runbook",
}
_SHOWN_BAD_LINES = 20


def print_preview(file: SuppressionFile, plan: Plan) -> None:
    """Print what an import would do."""
    click.echo(f"Format: {file.format.title}" + (f" ({file.format.url})" if file.format.url else ""))
    rows = [(kind.value, OUTCOMES[outcome], str(number)) for (kind, outcome), number in _ordered(plan)]
    print_rows(("Kind", "Outcome", "Entries"), rows)
    if plan.bad:
        click.echo(f"\nLines that cannot be read: {plan.bad}")
        for line in plan.bad_lines[:_SHOWN_BAD_LINES]:
            click.echo(f"  line {line.line}: {printable(line.problem)}")
        if plan.bad > _SHOWN_BAD_LINES:
            click.echo("  …")
    if plan.samples:
        click.echo("\nSamples:")
        for entry in plan.samples:
            at = format_timestamp(entry.at) if entry.at else "without a date"
            click.echo(f"  {printable(entry.address.variant)}  {entry.kind.value}  {at}")
    click.echo()


def _ordered(plan: Plan) -> list[tuple[tuple[Kind, Outcome], int]]:
    kinds, outcomes = list(Kind), list(Outcome)
    return sorted(plan.counts.items(), key=lambda one: (kinds.index(one[0][0]), outcomes.index(one[0][1])))


def print_result(
    file: SuppressionFile, plan: Plan, operation: str | None, results: Mapping[str, int], output_format: Format
) -> None:
    """Print the results of an import, or that nothing changed if `operation` is None."""
    if output_format is Format.JSON:
        print_document(_describe_result(file, plan, operation, results))
        return
    if operation is None:
        click.echo("Nothing was changed.")
        return
    print_numbers({"imported" if one == Outcome.IMPORT else one.replace("_", " "): results[one] for one in results})
    click.echo(f"Operation {operation}.")


def _describe_result(
    file: SuppressionFile, plan: Plan, operation: str | None, results: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "format": file.format.name,
        "rows": [
            {"kind": kind.value, "outcome": outcome.value, "entries": number}
            for (kind, outcome), number in _ordered(plan)
        ],
        "bad_lines": {"count": plan.bad, "first": [line._asdict() for line in plan.bad_lines]},
        "samples": [
            {
                "address": entry.address.variant,
                "kind": entry.kind.value,
                "at": format_timestamp(entry.at) if entry.at else "",
                "reason": entry.reason,
            }
            for entry in plan.samples
        ],
        "operation": operation,
        "results": dict(results),
    }
