"""What a million mails cost, by service, against the baseline.

    python -m benchmarks.cost [--figures figures.json]

Every request unit is counted from what the functions send (benchmarks.counted); prices are in benchmarks.prices, and
what the mail is like in benchmarks.traffic.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from benchmarks.bill import Bill, baseline, deployed, ours
from benchmarks.traffic import VOLUMES

MILLION = 1_000_000


def million(bill: Bill, mails: float) -> dict[str, float]:
    """Return a month's bill for each million of its mails."""
    return {service: dollars / mails * MILLION for service, dollars in bill.items()}


def table(mails: int) -> str:
    """Return the bill of a million of so many mails a month, as Markdown.

    Of ours twice: when each delivery is its contact's first of the day, and when none is.
    """
    functions = deployed()
    first, standing = ours(mails, functions)
    again, _ = ours(mails, functions, same_day=1.0)
    theirs, their_standing = baseline(mails)
    columns = [million(bill, mails) for bill in (first, again, theirs)]
    lines = [f"\n**{mails:,} mails a month**, USD a million:\n"]
    lines += ["| | ours | ours, same day | baseline |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {' | '.join(f'{column.get(name, 0):.3f}' for column in columns)} |"
        for name in sorted({*first, *again, *theirs})
    ]
    used = [sum(column.values()) for column in columns]
    ratios = [f"**{dollars:.2f}** = 1/{used[-1] / dollars:.1f}" for dollars in used[:-1]]
    lines.append(f"| **what the mail costs** | {' | '.join(ratios)} | **{used[-1]:.2f}** |")
    months = [bill.total() + standing.total() for bill in (first, again)]
    theirs_month = theirs.total() + their_standing.total()
    fixed = f"{standing.total():.2f}"
    lines.append(f"| what stands without any mail, USD a month | {fixed} | {fixed} | {their_standing.total():.2f} |")
    month = " | ".join(f"**{dollars:,.2f}** = 1/{theirs_month / dollars:.1f}" for dollars in months)
    lines.append(f"| **the month's bill, USD** | {month} | **{theirs_month:,.2f}** |")
    return "\n".join(lines)


def settings() -> str:
    """Return what a million mails cost with other settings of the delivery lane, as Markdown."""
    functions = deployed()
    lines = [
        "| batch | window, s | memory, MB | of 1 million a month, USD a million | of 1 billion |",
        "|---|---|---|---|---|",
    ]
    for batch, window, memory in _tried():
        changed = functions | {"Delivery": replace(functions["Delivery"], batch=batch, window=window, memory=memory)}
        costs = [ours(mails, changed)[0].total() / mails * MILLION for mails in VOLUMES[1:]]
        lines.append(f"| {batch} | {window} | {memory} | {costs[0]:.3f} | {costs[1]:.3f} |")
    return "\n".join(lines)


def _tried() -> list[tuple[int, int, int]]:
    sizes = [(10, 0, 512), (100, 1, 512), (1000, 1, 512)]
    windows = [(1000, window, 512) for window in (5, 20, 60, 120, 300)]
    memories = [(1000, 60, memory) for memory in (256, 1024, 1769)]
    return [*sizes, *windows, *memories]


def figures() -> list[tuple[str, dict[str, float]]]:
    """Return the columns of the plot."""
    functions = deployed()
    columns = []
    for mails in VOLUMES:
        name = {10_000: "10 thousand", MILLION: "1 million", 1000 * MILLION: "1 billion"}[mails]
        columns += [
            (f"baseline\n{name}", million(baseline(mails)[0], mails)),
            (f"ours\n{name}", million(ours(mails, functions)[0], mails)),
            (f"same day\n{name}", million(ours(mails, functions, same_day=1.0)[0], mails)),
        ]
    return [(label, {service: round(dollars, 4) for service, dollars in bill.items()}) for label, bill in columns]


def main() -> None:
    """Print the bills."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--figures", type=Path, help="write them to this file too, for benchmarks.plot")
    arguments = parser.parse_args()
    for mails in VOLUMES:
        print(table(mails))
    print(settings())
    if arguments.figures:
        arguments.figures.write_text(json.dumps(figures()))


if __name__ == "__main__":
    main()
