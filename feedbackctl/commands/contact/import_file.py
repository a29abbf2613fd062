"""`feedbackctl contact import`: suppressed addresses of another system, as contacts."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from feedbackctl.commands.contact.facts import validate_stream
from feedbackctl.commands.contact.import_report import print_preview, print_result
from feedbackctl.contact_import.judgement import Rules
from feedbackctl.contact_import.plan import Plan, make_plan
from feedbackctl.contact_import.run import ImportRun
from feedbackctl.contacts.batch_results import BatchResults
from feedbackctl.contacts.changes import truncate_to_milliseconds
from feedbackctl.contacts.history import OperatorAction
from feedbackctl.contacts.operations import Operation, OperationStore, State
from feedbackctl.errors import OperatorError
from feedbackctl.operator_options import Target, json_option, reason_option, stack_options, yes_option
from feedbackctl.stack import Stack
from feedbackctl.suppression_files.formats import BY_NAME
from feedbackctl.suppression_files.formats.columns import (
    FIELDS,
    ColumnsError,
    format_of_columns,
    has_header,
    parse_columns,
)
from feedbackctl.suppression_files.model import ExportFormat, Kind
from feedbackctl.suppression_files.reader import SuppressionFile, recognize_file, spooled_file
from feedbackctl.terminal.confirmation import confirm_count
from feedbackctl.terminal.output import Format
from feedbackctl.terminal.progress import show_progress
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.immutable import replace

JSON_FIELDS = {
    "format": "name of the file's format",
    "rows": "numbers of entries, each with `kind` (bounce, complaint, …), `outcome` and `entries`",
    "bad_lines": "lines that cannot be read: `count`, and the first of them, each with `line` and `problem`",
    "samples": "ten of the entries to import, each with `address`, `kind`, `at` (empty without a date) and `reason`",
    "operation": "id of the operation (null: nothing to import, or --dry-run)",
    "results": "numbers of entries by result; `failed` ones are imported if the command is run again",
}
_SOURCE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_COLUMNS_HELP = (
    f"Columns of any other CSV file, by name or number: email=NAME,reason=NAME. Fields: {', '.join(FIELDS)}."
)


@dataclass(frozen=True)
class Options:
    """Options of an import."""

    reason: str
    output_format: Format
    stream: str
    publish: bool
    include_soft: bool
    force: bool
    dry_run: bool
    yes: bool


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--format", "format_name", type=click.Choice(list(BY_NAME)), metavar="NAME", help="The format, if it is not found."
)
@click.option("--columns", metavar="SPEC", help=_COLUMNS_HELP)
@click.option(
    "--kind",
    type=click.Choice([one.value for one in Kind if one is not Kind.NONE]),
    help="With --columns: the kind of all entries.",
)
@click.option("--source", metavar="NAME", help="With --columns: the name of the other system. [default: file]")
@click.option(
    "--stream", metavar="NAME", callback=validate_stream, help="Import opt-outs as opt-outs of this stream only."
)
@click.option("--include-soft", is_flag=True, help="Import soft bounces and blocks, as hard bounces.")
@click.option("--force", is_flag=True, help="Import hard bounces also if email was delivered since.")
@click.option("--publish", is_flag=True, help="Publish an event for each contact that changes.")
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
@reason_option
@yes_option
@json_option
@stack_options
def import_file(
    target: Target,
    file: Path,
    *,
    format_name: str | None,
    columns: str | None,
    kind: str | None,
    source: str | None,
    **options: Any,  # noqa: ANN401 (those of `Options`)
) -> None:
    """Import the addresses in FILE that another system no longer sends to.

    The formats of Postmark, SendGrid, Mailgun, Resend, Brevo, listmonk and SES are recognized: CSV or JSON, in UTF-8 or
    UTF-16, compressed by gzip or not. `-` reads standard input. docs/operate/migrate.md describes the export of each.

    First, each entry is compared with its contact, and numbers and samples are printed. Then the command asks for the
    number. An import adds evidence with its original date and reason, and removes none: no contact may be sent more
    than before. Later reinstatements and deliveries count. It writes at most 2,000 units a second, half of what a new
    table can write. If it is interrupted, the same command continues it; a second run changes nothing.
    """
    form, header = _choose_format(format_name, columns, kind, source)
    stack = target.find_stack()
    with spooled_file(file) as path:
        found = recognize_file(path, form, has_header=header)
        _Import(stack, found, Options(**options)).run()


def _choose_format(
    name: str | None, columns: str | None, kind: str | None, source: str | None
) -> tuple[ExportFormat | None, bool | None]:
    """Return the format that the options give, or None, and whether the file has a header, or None if unknown."""
    if columns is None:
        if kind or source:
            raise click.UsageError("--kind and --source need --columns.")
        return BY_NAME[name] if name else None, None
    if name:
        raise click.UsageError("Give --format or --columns.")
    try:
        parsed = parse_columns(columns)
    except ColumnsError as error:
        raise click.UsageError(f"--columns: {error}.") from None
    if "reason" not in parsed and kind is None:
        raise click.UsageError("--columns has no reason. Give its column, or --kind for all entries.")
    if source and not _SOURCE.fullmatch(source):
        raise click.UsageError("--source has 1 to 32 letters, digits, `_` and `-`.")
    return format_of_columns(parsed, source or "file", Kind(kind) if kind else None), has_header(parsed)


@dataclass
class _Import:
    """One run of the command. `at` is the time of the operation, also of an unfinished one that is continued."""

    stack: Stack
    file: SuppressionFile
    options: Options

    def run(self) -> None:
        store = OperationStore(self.stack)
        unfinished = store.find_unfinished(self._describe_selection())
        at = unfinished.at if unfinished else truncate_to_milliseconds(utc_now())
        rules = self._rules(at)
        with show_progress("Reading") as advance:
            plan = make_plan(self.stack.repository, self.file.read(at), rules, advance)
        try:
            self._run_plan(store, unfinished, plan, rules)
        finally:
            plan.close()

    def _run_plan(self, store: OperationStore, unfinished: Operation | None, plan: Plan, rules: Rules) -> None:
        options = self.options
        if options.output_format is Format.TABLE:
            print_preview(self.file, plan)
        operation, results = None, BatchResults()
        if not options.dry_run and (plan.count or unfinished):
            if unfinished:
                click.echo(f"Operation {unfinished.id} of the same file is unfinished. It is continued.", err=True)
            if plan.count:
                confirm_count(plan.count, "import them", yes=options.yes)
            operation = unfinished or self._create_operation(store, rules.at, plan.count)
            results = self._write(plan, rules, operation)
            if not results.counts["failed"]:
                store.save(replace(operation, state=State.DONE))
        print_result(self.file, plan, operation.id if operation else None, results.counts, options.output_format)
        results.require_all("entries were not imported")
        if plan.bad and not options.dry_run:
            raise OperatorError(
                f"Lines that could not be read and are not imported: {plan.bad}. Correct them, and run it again."
            )

    def _describe_selection(self) -> str:
        """Return text that is equal for equal imports: an interrupted one is found by it."""
        options = self.options
        flags = {
            "include-soft": options.include_soft,
            "force": options.force,
            "publish": options.publish,
            f"stream={options.stream}": bool(options.stream),
        }
        form = self.file.format
        words = ["import", form.name, f"source={form.source}", f"sha256={self.file.digest()[:32]}"]
        return " ".join(words + [flag for flag, given in flags.items() if given])

    def _rules(self, at: datetime) -> Rules:
        return Rules(
            self.file.format.source,
            at,
            frozenset(self.stack.settings.streams),
            self.options.stream,
            include_soft=self.options.include_soft,
            force=self.options.force,
        )

    def _create_operation(self, store: OperationStore, at: datetime, count: int) -> Operation:
        caller = self.stack.aws.caller.arn
        operation = store.create(self._describe_selection(), self.options.reason, caller, at)
        running = replace(operation, state=State.RUNNING, contacts=count)
        store.save(running)
        return running

    def _write(self, plan: Plan, rules: Rules, operation: Operation) -> BatchResults:
        action = OperatorAction("import", operation.caller, operation.at, operation.reason, operation.id)
        settings, repository = self.stack.settings, self.stack.repository
        run = ImportRun(repository, settings.limits, settings.history_days, rules, action, publish=self.options.publish)
        with show_progress("Importing", plan.count) as advance:
            run.run(plan.entries(), advance)
        return run.results
