"""The result of a replay as tables on a terminal."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from feedbackctl.replay.json_output import text_attribute
from feedbackctl.replay.result import Finding, ReplayResult
from ses_feedback.aws.metrics import METRICS
from ses_feedback.contacts.record import Item
from ses_feedback.contacts.status import Status

FEW_CONTACTS, FEW_FINDINGS = 30, 6
"""Numbers of rows up to which all are printed."""
ADDRESS_WIDTH = 44
BAR_WIDTH = 60
CONTACTS_PER_STATUS, FINDINGS_PER_REASON, LIST_ENTRIES = 3, 2, 17
"""Numbers of rows that are printed of a shortened table."""
WIDE = 100
"""Columns of a terminal that has room for two tables side by side, and for all columns of a table."""
STYLES = {
    Status.COMPLAINED: "red",
    Status.BOUNCED: "red",
    Status.UNSUBSCRIBED: "yellow",
    Status.SUSPENDED: "yellow",
    Status.BOUNCING: "cyan",
    Status.ACTIVE: "green",
}
_FLEXIBLE = frozenset({"Reason", "Message"})
"""Columns that are shortened if not all columns fit."""
_ADDRESSES = frozenset({"Contact", "Address"})
_MILLISECONDS = frozenset({"FeedbackLag", "SuppressionLag"})
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def print_tables(console: Console, result: ReplayResult, files: int, seconds: float, *, all_rows: bool) -> None:
    """Print `result`; long tables are shortened unless `all_rows` is True."""
    console.print()
    console.print(_headline(result, files, seconds))
    console.print(_counts(result, "-" if console.options.ascii_only else "\u2501"))
    suppression_list = _suppression_list(result, all_rows=all_rows)
    metrics = _metrics(result)
    wide = console.width >= WIDE
    parts: list[RenderableType] = [_contacts(result, all_rows=all_rows, wide=wide)]
    if wide:
        pair = Table.grid(padding=(0, 6, 0, 0))
        pair.add_row(suppression_list, metrics)
        parts.append(pair)
    else:
        parts += [suppression_list, metrics]
    parts += [
        _findings("Ignored", "not feedback about an email", result.ignored, all_rows=all_rows),
        _findings("Quarantined", "malformed, stored for inspection", result.quarantined, all_rows=all_rows),
    ]
    for part in parts:
        console.print()
        console.print(Padding(part, (0, 0, 0, 1), expand=False))
    if _is_long(result) and not all_rows:
        console.print(Text("\n --all prints every row, --json prints an object for scripts.", "dim"))
    console.print()


def _headline(result: ReplayResult, files: int, seconds: float) -> Text:
    return Text.assemble(
        " ",
        (_count(result.messages, "message"), "bold"),
        f" from {_count(files, 'file')} processed in {seconds:,.1f} s",
        (f", {result.messages / max(seconds, 0.001):,.0f} per second", "dim"),
    )


def _counts(result: ReplayResult, dash: str) -> Text:
    """Return the numbers of applied, ignored, quarantined and failed messages, and a bar of them."""
    parts = [
        (result.applied, "applied", "green"),
        (len(result.ignored), "ignored", "cyan"),
        (len(result.quarantined), "quarantined", "yellow"),
        (len(result.unapplied), "NOT APPLIED", "bold red"),
    ]
    bar, numbers = Text(" "), Text(" ")
    for number, outcome, style in parts:
        if number:
            bar.append(dash * max(1, round(BAR_WIDTH * number / result.messages)), style)
            numbers.append(f"{number:,} {outcome}", style).append("   ")
    numbers.rstrip()
    return Text("\n").join([bar, numbers])


def _contacts(result: ReplayResult, *, all_rows: bool, wide: bool) -> RenderableType:
    listed = {entry.email_address: entry.reason.value for entry in result.suppression_list}
    groups: dict[Status, list[Item]] = {status: [] for status in Status}
    for item in result.contacts:
        groups[Status(item["status"]["S"])].append(item)
    extra_columns = ["Since", "SES list"] if wide else []
    table = _table("Status", "", "Contact", "Reason", *extra_columns, shortened=not all_rows)
    limit = None if all_rows or len(result.contacts) <= FEW_CONTACTS else CONTACTS_PER_STATUS
    for status, items in groups.items():
        rows = (
            (
                item["address"]["S"],
                text_attribute(item, "reason"),
                text_attribute(item, "status_at")[:10],
                _list_reason(item, listed),
            )
            for item in items[:limit]
        )
        _add_group(table, (status.value, STYLES[status]), rows, len(items), limit)
    stopped = sum(len(items) for status, items in groups.items() if not status.may_send)
    summary = f"{len(result.contacts):,}: {stopped:,} may not receive email, {len(result.contacts) - stopped:,} may"
    return _titled("Contacts", summary, table)


def _list_reason(item: Item, listed: dict[str, str]) -> str:
    """Return the reason of the contact's list entry, in any address variant, or a note if there is no entry."""
    reasons = {listed[variant["S"]] for variant in item["variants"]["L"] if variant["S"] in listed}
    if reasons:
        return ", ".join(sorted(reasons))
    if "pending_shard" in item:
        return "pending"
    # The list of a replay starts empty, so it lacks entries that only an echo reports.
    return "reported by SES" if {"listed_bounce_at", "listed_complaint_at"} & item.keys() else ""


def _suppression_list(result: ReplayResult, *, all_rows: bool) -> RenderableType:
    entries = result.suppression_list
    limit = None if all_rows else LIST_ENTRIES
    table = _table("Address", "Listed as", shortened=not all_rows)
    for entry in entries[:limit]:
        table.add_row(_cell(entry.email_address, shortened=not all_rows), entry.reason.value)
    _add_more(table, len(entries) - len(entries[:limit]), column=0)
    reasons = Counter(entry.reason.value for entry in entries)
    summary = ", ".join(f"{number:,} {reason}" for reason, number in sorted(reasons.items())) or "empty"
    if result.refused:
        codes = ", ".join(sorted(result.refused))
        summary += f"; SES refused {result.refused.total():,} ({codes}), which are pending"
    return _titled("Suppression list", summary, table)


def _metrics(result: ReplayResult) -> RenderableType:
    table = _table("Metric", "", shortened=False)
    for name in METRICS:
        if name in result.metrics:
            value = result.metrics[name]
            table.add_row(name, _duration(value) if name in _MILLISECONDS else f"{value:,}")
    return _titled("Metrics", "for lags, the longest", table)


def _findings(title: str, meaning: str, findings: Sequence[Finding], *, all_rows: bool) -> RenderableType:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.reason, []).append(finding)
    table = _table("Reason", "", "Message", shortened=not all_rows)
    limit = None if all_rows or len(findings) <= FEW_FINDINGS else FINDINGS_PER_REASON
    for reason, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        _add_group(table, (reason, ""), ((finding.source,) for finding in group[:limit]), len(group), limit)
    return _titled(title, f"{len(findings):,}: {meaning}" if findings else "none", table)


def _table(*columns: str, shortened: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for column in columns:
        on_one_line = column not in _FLEXIBLE and (shortened or column not in _ADDRESSES)
        width = ADDRESS_WIDTH if shortened and column in _ADDRESSES else None
        # A column without a name has numbers.
        table.add_column(column, justify="left" if column else "right", no_wrap=on_one_line, max_width=width)
    return table


def _titled(title: str, summary: str, table: Table) -> RenderableType:
    head = Text.assemble((title, "bold"), "  ", (summary, "dim"))
    return Group(head, Padding(table, (0, 0, 0, 2), expand=False)) if table.row_count else head


def _add_group(
    table: Table, name: tuple[str, str], rows: Iterable[tuple[str, ...]], size: int, limit: int | None
) -> None:
    """Add rows with a name (and its style) and their number, and a row with the number of omitted ones."""
    for number, row in enumerate(rows):
        head = [Text(), Text()] if number else [_cell(*name, shortened=bool(limit)), Text(f"{size:,}", name[1])]
        # A narrow table has fewer columns than a row has cells.
        table.add_row(*head, *(_cell(text, shortened=bool(limit)) for text in row[: len(table.columns) - len(head)]))
    _add_more(table, size - (limit or size), column=2)


def _add_more(table: Table, more: int, column: int) -> None:
    if more > 0:
        cells = [""] * column
        table.add_row(*cells, Text(f"and {more:,} more", "dim"))


def _cell(text: str, style: str = "", *, shortened: bool) -> Text:
    # A plain string would be parsed as Rich markup, which an address can resemble.
    return Text(text, style, no_wrap=shortened, overflow="ellipsis" if shortened else "fold")


def _is_long(result: ReplayResult) -> bool:
    return (
        len(result.contacts) > FEW_CONTACTS
        or len(result.suppression_list) > LIST_ENTRIES
        or max(len(result.ignored), len(result.quarantined)) > FEW_FINDINGS
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _duration(milliseconds: int) -> str:
    for size, unit in _UNITS:
        if milliseconds >= size:
            return f"{milliseconds / size:,.0f} {unit}"
    return f"{milliseconds} ms"
