"""What a million mails cost, by service, against the baseline.

    python -m benchmarks.cost

Every request unit is counted from what the functions send (benchmarks.usage_counts); prices are in benchmarks.prices, and
what the mail is like in benchmarks.traffic.
"""

from dataclasses import replace

from benchmarks.bill import Bill, baseline, ours
from benchmarks.template_facts import deployed
from benchmarks.traffic import VOLUMES

MILLION = 1_000_000
OURS = (
    ("ours", False, 0.0),
    ("ours, same day", False, 1.0),
    ("by Firehose", True, 0.0),
    ("by Firehose, same day", True, 1.0),
)
"""The columns of ours: whether deliveries come by Firehose, and which share of them is not the first of its day."""


def million(bill: Bill, mails: float) -> dict[str, float]:
    """Return a month's bill for each million of its mails."""
    return {service: dollars / mails * MILLION for service, dollars in bill.items()}


def table(mails: int) -> str:
    """Return the bill of a million of so many mails a month, as Markdown.

    Of ours with deliveries by topic and by Firehose, each twice: when each delivery is its contact's first of the day,
    and when none is.
    """
    bills = {name: ours(mails, deployed(by_firehose=by_firehose), same_day) for name, by_firehose, same_day in OURS} | {
        "baseline": baseline(mails)
    }
    columns = [million(usage, mails) for usage, _ in bills.values()]
    months = [usage.total() + standing.total() for usage, standing in bills.values()]
    lines = [f"\n**{mails:,} mails a month**, USD a million:\n"]
    lines += [f"| | {' | '.join(bills)} |", "|---" * (len(bills) + 1) + "|"]
    lines += [
        f"| {name} | {' | '.join(f'{column.get(name, 0):.3f}' for column in columns)} |"
        for name in sorted({service for column in columns for service in column})
    ]
    lines.append(f"| **what the mail costs** | {_against_the_last([sum(column.values()) for column in columns])} |")
    standing = " | ".join(f"{standing.total():.2f}" for _, standing in bills.values())
    lines.append(f"| what stands without any mail, USD a month | {standing} |")
    lines.append(f"| **the month's bill, USD** | {_against_the_last(months)} |")
    return "\n".join(lines)


def _against_the_last(dollars: list[float]) -> str:
    ratios = [f"**{one:,.2f}** = 1/{dollars[-1] / one:.1f}" for one in dollars[:-1]]
    return " | ".join([*ratios, f"**{dollars[-1]:,.2f}**"])


def settings() -> str:
    """Return what a million mails cost with other settings of the delivery lane, as Markdown."""
    template = deployed()
    lines = [
        "| batch | window, s | memory, MB | of 1 million a month, USD a million | of 1 billion |",
        "|---|---|---|---|---|",
    ]
    for batch, window, memory in _tried():
        lane = replace(template.functions["Delivery"], batch=batch, window=window, memory=memory)
        changed = replace(template, functions={**template.functions, "Delivery": lane})
        costs = [ours(mails, changed)[0].total() / mails * MILLION for mails in VOLUMES[1:]]
        lines.append(f"| {batch} | {window} | {memory} | {costs[0]:.3f} | {costs[1]:.3f} |")
    return "\n".join(lines)


def _tried() -> list[tuple[int, int, int]]:
    sizes = [(10, 0, 512), (100, 1, 512), (1000, 1, 512)]
    windows = [(1000, window, 512) for window in (5, 20, 60, 120, 300)]
    memories = [(1000, 60, memory) for memory in (256, 1024, 1769)]
    return [*sizes, *windows, *memories]


def main() -> None:
    """Print the bills."""
    for mails in VOLUMES:
        print(table(mails))
    print(settings())


if __name__ == "__main__":
    main()
