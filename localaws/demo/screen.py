"""What the demo came to, on one screen of eighty columns."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from localaws.served.mailboxes import SIMULATOR
from localaws.served.stack import Stack

_COLOURS = {"complained": "red", "bounced": "red", "bouncing": "yellow", "active": "green"}


def metrics(stack: Stack, since: datetime) -> dict[str, str]:
    """Return every metric of the stack's configuration set since then, from CloudWatch: sums, and the longest lags."""
    cloudwatch = stack.client("cloudwatch")
    dimensions = [{"Name": "ConfigurationSet", "Value": stack.outputs["ConfigurationSetName"]}]
    named = cloudwatch.list_metrics(Namespace="SesFeedback", Dimensions=dimensions)["Metrics"]
    found = {}
    for name in sorted({one["MetricName"] for one in named}):
        points = cloudwatch.get_metric_statistics(
            Namespace="SesFeedback",
            MetricName=name,
            Dimensions=dimensions,
            StartTime=since - timedelta(seconds=1),
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=60,
            Statistics=["Sum", "Maximum"],
        )["Datapoints"]
        if points:
            lag = name.endswith("Lag")
            total = max(one["Maximum"] for one in points) if lag else sum(one["Sum"] for one in points)
            found[name] = f"{total / 1000:.1f} s" if lag else f"{total:.0f}"
    return found


class Screen:
    """Prints the parts one below the other."""

    def __init__(self, console: Console, run: str) -> None:
        """Print to `console`, leaving the run's name out of addresses."""
        self._console = console
        self._run = run

    def contacts(self, some: Iterable[Mapping[str, Any]], rest: Counter[str]) -> None:
        """Show some contacts, and how many more there are of each status."""
        table = _table("address", "status", "send", "because", "listed as")
        for contact in some:
            status = contact["status"]["S"]
            told = [contact.get(name, {}).get("S", "") for name in ("reason", "synced")]
            may_send = "yes" if contact["may_send"]["BOOL"] else "no"
            table.add_row(self._short(contact["address"]["S"]), Text(status, _COLOURS[status]), may_send, *told)
        for status, count in rest.items():
            table.add_row(Text(f"and {count} more @example.com", "dim"), Text(status, _COLOURS[status]))
        self._part("Contacts after the first mail", "from DynamoDB", table)

    def suppression_list(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Show what this run put on the account's suppression list."""
        table = _table("address", "reason", "since")
        for entry in entries:
            since = f"{entry['LastUpdateTime'].astimezone():%H:%M:%S}"
            table.add_row(self._short(entry["EmailAddress"]), entry["Reason"], since)
        self._part("The account's suppression list", "from SES, which never lists the simulator", table)

    def second_mails(self, said: Mapping[str, list[str]]) -> None:
        """Show what SES said of the first mail and of a second one."""
        table = _table("address", "of the first mail", "of a second mail")
        for address, reasons in said.items():
            table.add_row(self._short(address), *reasons[:2])
        self._part("What SES said", "from the contacts' history in DynamoDB", table)

    def metrics(self, counted: Mapping[str, str], published: int) -> None:
        """Show what was counted and published."""
        table = Table.grid(padding=(0, 3))
        cells = [f"{name} [bold]{value}[/bold]" for name, value in counted.items()]
        for number in range(0, len(cells), 3):
            table.add_row(*cells[number : number + 3])
        self._part("Metrics", "from CloudWatch", table)
        self._console.print(f'  EventBridge published "Contact Status Changed" [bold]{published}[/bold] times.\n')

    def _part(self, title: str, source: str, table: RenderableType) -> None:
        self._console.print(Rule(Text.assemble((title, "bold"), (f", {source} ", "dim")), align="left", style="dim"))
        self._console.print(Padding(table, (0, 0, 0, 2), expand=False))

    def _short(self, address: str) -> str:
        """Return an address without the run's name and the simulator's domain."""
        bare = address.replace(f"+{self._run}", "").replace(f".{self._run}", "")
        return bare.replace(SIMULATOR, "simulator")


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table
