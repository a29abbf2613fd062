"""The output of the demo, on one screen of eighty columns, and its export as an SVG image."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from localaws.demo.recipients import shorten_address

_COLOURS = {"complained": "red", "bounced": "red", "bouncing": "yellow", "active": "green"}
_SVG_COLUMNS = 80


def create_console(*, record: bool) -> Console:
    """Return the console. If `record`, it has eighty columns and no animation, so that `save_svg` can export it."""
    return Console(record=True, width=_SVG_COLUMNS, force_terminal=False) if record else Console()


def save_svg(console: Console, path: Path) -> None:
    """Write the recorded output to a file that refers to no other file: the viewer's own monospace font is used."""
    svg = console.export_svg(title="make demo", unique_id="demo")
    # Some viewers drop leading spaces otherwise.
    svg = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))


class Screen:
    """Prints the results one below the other."""

    def __init__(self, console: Console, run: str) -> None:
        """Print to `console`, without the run's name in addresses."""
        self._console = console
        self._run = run

    def show_contacts(self, contacts: Iterable[Mapping[str, Any]], others: Counter[str]) -> None:
        """Show contacts, and the number of others of each status."""
        table = _create_table("address", "status", "send", "reason", "SES list")
        for contact in contacts:
            status = contact["status"]["S"]
            reason, synced = (contact.get(name, {}).get("S", "") for name in ("reason", "synced"))
            may_send = "yes" if contact["may_send"]["BOOL"] else "no"
            table.add_row(
                self._shorten(contact["address"]["S"]), Text(status, _COLOURS[status]), may_send, reason, synced
            )
        for status, count in others.items():
            table.add_row(Text(f"and {count} more @example.com", "dim"), Text(status, _COLOURS[status]))
        self._print_part("Contacts after the first email", "read from DynamoDB", table)

    def show_suppression_list(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Show the entries that this run added to the suppression list."""
        table = _create_table("address", "reason", "since")
        for entry in entries:
            since = f"{entry['LastUpdateTime'].astimezone():%H:%M:%S}"
            table.add_row(self._shorten(entry["EmailAddress"]), entry["Reason"], since)
        self._print_part("SES suppression list", "read from SES, which never lists its simulator", table)

    def show_reports(self, reports: Mapping[str, list[str]]) -> None:
        """Show what SES reported about the first and the second email to an address."""
        table = _create_table("address", "first email", "second email")
        for address, reasons in reports.items():
            table.add_row(self._shorten(address), *reasons[:2])
        self._print_part("Reports from SES", "read from the history in DynamoDB", table)

    def show_reader(self, contact: Mapping[str, Any], answers: Mapping[str, bool]) -> None:
        """Show a contact after an opt-out, and the answer to "may I send?" for each kind of email."""
        table = _create_table("address", "no_streams", *(f"may send {kind}" for kind in answers), "last delivery")
        left = ", ".join(name["S"] for name in contact.get("no_streams", {"L": []})["L"])
        delivered = "receipt" if "delivered" in contact else ""
        sends = [Text("yes", "green") if answer else Text("no", "red") for answer in answers.values()]
        table.add_row(self._shorten(contact["address"]["S"]), left, *sends, delivered)
        self._print_part("A person left the newsletter", "and got a receipt afterwards", table)

    def show_metrics(self, metrics: Mapping[str, str], events: Mapping[str, int]) -> None:
        """Show the metrics, and the number of published events by detail-type."""
        table = Table.grid(padding=(0, 3))
        cells = [f"{name} [bold]{value}[/bold]" for name, value in metrics.items()]
        for number in range(0, len(cells), 3):
            table.add_row(*cells[number : number + 3])
        self._print_part("Metrics", "read from CloudWatch", table)
        counts = ", ".join(f"{name} [bold]{number}[/bold]" for name, number in sorted(events.items()))
        self._console.print(f"  Events on EventBridge: {counts}\n", highlight=False)

    def _print_part(self, title: str, source: str, table: RenderableType) -> None:
        self._console.print(Rule(Text.assemble((title, "bold"), (f", {source} ", "dim")), align="left", style="dim"))
        self._console.print(Padding(table, (0, 0, 0, 2), expand=False))

    def _shorten(self, address: str) -> str:
        return shorten_address(address, self._run)


def _create_table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table
