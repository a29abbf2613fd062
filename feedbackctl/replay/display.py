"""What a replay came to, as tables for people and as one object for scripts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from feedbackctl.replay.replay import Result
from feedbackctl.replay.unapplied_messages import Finding
from ses_feedback.aws.metrics import METRICS
from ses_feedback.contacts.record import Item
from ses_feedback.contacts.status import Status

FEW_CONTACTS, FEW_FINDINGS = 30, 6
"""So many are shown without a cut."""
ADDRESS = 44
"""Columns an address may take."""
BAR = 60
"""Columns of the bar below the headline."""
A_GROUP, OF_A_KIND, A_LIST = 3, 2, 17
"""What is shown of the contacts of one status, of messages with one reason, and of the suppression list, if cut."""
WIDE = 100
"""Columns from which on two tables stand beside each other, and all of a table's columns in it."""
STYLES = {
    Status.COMPLAINED: "red",
    Status.BOUNCED: "red",
    Status.UNSUBSCRIBED: "yellow",
    Status.SUSPENDED: "yellow",
    Status.BOUNCING: "cyan",
    Status.ACTIVE: "green",
}
_LONG = frozenset({"Why", "Message"})
"""Columns that are shortened when all do not fit."""
_ADDRESSES = frozenset({"Contact", "Address, as SES keeps it"})
_MILLISECONDS = frozenset({"FeedbackLag", "SuppressionLag"})
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def as_json(result: Result) -> dict[str, Any]:
    """Return `result` as `--json` prints it."""
    return {
        "contacts": [_contact(item) for item in result.contacts],
        "suppression_list": [
            {"address": entry.email_address, "reason": entry.reason.value} for entry in result.suppression_list
        ],
        "metrics": dict(sorted(result.metrics.items())),
        "ignored": [{"source": finding.source, "why": finding.why} for finding in result.ignored],
        "quarantined": [{"source": finding.source, "why": finding.why} for finding in result.quarantined],
    }


def show(console: Console, result: Result, files: int, seconds: float, *, everything: bool) -> None:
    """Print `result`, cut to what a person takes in unless `everything` is asked for."""
    console.print()
    console.print(_headline(result, files, seconds))
    console.print(_outcome(result, "-" if console.options.ascii_only else "\u2501"))
    listed = _suppression_list(result, everything=everything)
    counted = _metrics(result)
    wide = console.width >= WIDE
    parts: list[RenderableType] = [_contacts(result, everything=everything, wide=wide)]
    if wide:
        pair = Table.grid(padding=(0, 6, 0, 0))
        pair.add_row(listed, counted)
        parts.append(pair)
    else:
        parts += [listed, counted]
    parts += [
        _findings("Ignored", "not feedback about a message", result.ignored, everything=everything),
        _findings("Quarantined", "kept with the reason, to be looked at", result.quarantined, everything=everything),
    ]
    for part in parts:
        console.print()
        console.print(Padding(part, (0, 0, 0, 1), expand=False))
    if _cut(result) and not everything:
        console.print(Text("\n --all shows every row, --json is for scripts.", "dim"))
    console.print()


def _headline(result: Result, files: int, seconds: float) -> Text:
    return Text.assemble(
        " ",
        (_count(result.messages, "message"), "bold"),
        f" from {_count(files, 'file')} went through the functions in {seconds:,.1f} s",
        (f", {result.messages / max(seconds, 0.001):,.0f} a second", "dim"),
    )


def _outcome(result: Result, dash: str) -> Text:
    """Return how many messages came to what, and a bar of it."""
    parts = [
        (result.applied, "applied", "green"),
        (len(result.ignored), "ignored", "cyan"),
        (len(result.quarantined), "quarantined", "yellow"),
        (len(result.left), "NOT APPLIED", "bold red"),
    ]
    bar, numbers = Text(" "), Text(" ")
    for number, what, style in parts:
        if number:
            bar.append(dash * max(1, round(BAR * number / result.messages)), style)
            numbers.append(f"{number:,} {what}", style).append("   ")
    numbers.rstrip()
    return Text("\n").join([bar, numbers])


def _contacts(result: Result, *, everything: bool, wide: bool) -> RenderableType:
    listed = {entry.email_address: entry.reason.value for entry in result.suppression_list}
    groups: dict[Status, list[Item]] = {status: [] for status in Status}
    for item in result.contacts:
        groups[Status(item["status"]["S"])].append(item)
    rest = ["Since", "Listed as"] if wide else []
    table = _table("Status", "", "Contact", "Why", *rest, cut=not everything)
    limit = None if everything or len(result.contacts) <= FEW_CONTACTS else A_GROUP
    for status, items in groups.items():
        rows = (
            (item["address"]["S"], _text(item, "reason"), _text(item, "status_at")[:10], _entries(item, listed))
            for item in items[:limit]
        )
        _add_group(table, (status.value, STYLES[status]), rows, len(items), limit)
    stopped = sum(len(items) for status, items in groups.items() if not status.may_send)
    told = f"{len(result.contacts):,}: {stopped:,} may not be mailed, {len(result.contacts) - stopped:,} may"
    return _titled("Contacts", told, table)


def _entries(item: Item, listed: dict[str, str]) -> str:
    """Return with which reasons an address is on the list, in any variant, or why it is not seen there."""
    found = {listed[variant["S"]] for variant in item["variants"]["L"] if variant["S"] in listed}
    if found:
        return ", ".join(sorted(found))
    if "pending_shard" in item:
        return "waiting"
    # SES told of an entry in an echo; this list began empty.
    return "SES says so" if {"listed_bounce_at", "listed_complaint_at"} & item.keys() else ""


def _suppression_list(result: Result, *, everything: bool) -> RenderableType:
    entries = result.suppression_list
    limit = None if everything else A_LIST
    table = _table("Address, as SES keeps it", "Reason", cut=not everything)
    for entry in entries[:limit]:
        table.add_row(_cell(entry.email_address, cut=not everything), entry.reason.value)
    _add_more(table, len(entries) - len(entries[:limit]), column=0)
    reasons = Counter(entry.reason.value for entry in entries)
    told = ", ".join(f"{number:,} {reason}" for reason, number in sorted(reasons.items())) or "empty"
    if result.refused:
        codes = ", ".join(sorted(result.refused))
        told += f"; SES refused {result.refused.total():,} ({codes}), which wait"
    return _titled("Suppression list", told, table)


def _metrics(result: Result) -> RenderableType:
    table = _table("Metric", "", cut=False)
    for name in METRICS:
        if name in result.metrics:
            value = result.metrics[name]
            table.add_row(name, _duration(value) if name in _MILLISECONDS else f"{value:,}")
    return _titled("Metrics", "lags are the longest", table)


def _findings(title: str, explained: str, findings: Sequence[Finding], *, everything: bool) -> RenderableType:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.why, []).append(finding)
    table = _table("Why", "", "Message", cut=not everything)
    limit = None if everything or len(findings) <= FEW_FINDINGS else OF_A_KIND
    for why, found in sorted(groups.items(), key=lambda group: -len(group[1])):
        _add_group(table, (why, ""), ((finding.source,) for finding in found[:limit]), len(found), limit)
    return _titled(title, f"{len(findings):,}: {explained}" if findings else "none", table)


def _table(*columns: str, cut: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for column in columns:
        short = column not in _LONG and (cut or column not in _ADDRESSES)
        width = ADDRESS if cut and column in _ADDRESSES else None
        # A column without a name holds numbers.
        table.add_column(column, justify="left" if column else "right", no_wrap=short, max_width=width)
    return table


def _titled(title: str, told: str, table: Table) -> RenderableType:
    head = Text.assemble((title, "bold"), "  ", (told, "dim"))
    return Group(head, Padding(table, (0, 0, 0, 2), expand=False)) if table.row_count else head


def _add_group(
    table: Table, name: tuple[str, str], rows: Iterable[tuple[str, ...]], size: int, limit: int | None
) -> None:
    """Add rows under a name (and its style) and how many there are, and how many are not shown."""
    for number, row in enumerate(rows):
        head = [Text(), Text()] if number else [_cell(*name, cut=bool(limit)), Text(f"{size:,}", name[1])]
        # Rows may have more cells than there is room for columns.
        table.add_row(*head, *(_cell(text, cut=bool(limit)) for text in row[: len(table.columns) - len(head)]))
    _add_more(table, size - (limit or size), column=2)


def _add_more(table: Table, more: int, column: int) -> None:
    if more > 0:
        cells = [""] * column
        table.add_row(*cells, Text(f"and {more:,} more", "dim"))


def _cell(text: str, style: str = "", *, cut: bool) -> Text:
    # Not a string, because an address may look like Rich's markup.
    return Text(text, style, no_wrap=cut, overflow="ellipsis" if cut else "fold")


def _cut(result: Result) -> bool:
    return (
        len(result.contacts) > FEW_CONTACTS
        or len(result.suppression_list) > A_LIST
        or max(len(result.ignored), len(result.quarantined)) > FEW_FINDINGS
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _duration(milliseconds: int) -> str:
    for size, unit in _UNITS:
        if milliseconds >= size:
            return f"{milliseconds / size:,.0f} {unit}"
    return f"{milliseconds} ms"


def _contact(item: Item) -> dict[str, Any]:
    return {
        "address": item["address"]["S"],
        "status": item["status"]["S"],
        "may_send": item["may_send"]["BOOL"],
        "reason": _text(item, "reason"),
        "status_at": _text(item, "status_at"),
        "delivered_on": _text(item, "delivered_on"),
        "soft_bounce_days": [day["S"] for day in item["soft_bounce_days"]["L"]] if "soft_bounce_days" in item else [],
        "variants": [variant["S"] for variant in item["variants"]["L"]],
        "synced": _text(item, "synced"),
        "pending_shard": "pending_shard" in item,
    }


def _text(item: Item, name: str) -> str:
    return str(item[name]["S"]) if name in item else ""
