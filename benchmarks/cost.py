"""The cost of a million emails by service, compared with the baseline.

    python -m benchmarks.cost

Request units are counted while the functions run (benchmarks.usage_counts). benchmarks.prices has the prices, and
benchmarks.traffic describes the emails.
"""

from dataclasses import replace

from benchmarks import prices
from benchmarks.bill import MONITORING_METRICS, Bill, baseline_bill, ses_feedback_bill
from benchmarks.template_facts import read_template
from benchmarks.traffic import VOLUMES

MILLION = 1_000_000
VARIANTS = (
    ("ses-feedback", False, 0.0),
    ("same day", False, 1.0),
    ("Firehose", True, 0.0),
    ("Firehose, same day", True, 1.0),
)
"""The columns of ses-feedback: name, whether deliveries use Firehose, and the share of same-day deliveries."""


def per_million(bill: Bill, emails: float) -> dict[str, float]:
    """Return the cost of a million of the `emails` of a bill."""
    return {service: dollars / emails * MILLION for service, dollars in bill.items()}


def table(emails: int) -> str:
    """Return the cost of a million emails at a volume of `emails` a month, as Markdown.

    Each path of deliveries has two columns: each delivery is the first of its day for its contact, or none is.
    """
    bills = {
        name: ses_feedback_bill(emails, read_template(by_firehose=by_firehose), same_day)
        for name, by_firehose, same_day in VARIANTS
    } | {"baseline": baseline_bill(emails)}
    columns = [per_million(usage, emails) for usage, _ in bills.values()]
    months = [usage.total() + fixed.total() for usage, fixed in bills.values()]
    lines = [f"\n**{emails:,} emails a month**, USD per million:\n"]
    lines += [f"| | {' | '.join(bills)} |", "|---" * (len(bills) + 1) + "|"]
    lines += [
        f"| {service} | {' | '.join(f'{column.get(service, 0):.3f}' for column in columns)} |"
        for service in sorted({service for column in columns for service in column})
    ]
    lines.append(f"| **variable cost** | {_compare_with_last([sum(column.values()) for column in columns])} |")
    fixed_costs = " | ".join(f"{fixed.total():.2f}" for _, fixed in bills.values())
    lines.append(f"| fixed cost, USD a month | {fixed_costs} |")
    lines.append(f"| **total, USD a month** | {_compare_with_last(months)} |")
    return "\n".join(lines)


def _compare_with_last(dollars: list[float]) -> str:
    ratios = [f"**{amount:,.2f}** = 1/{dollars[-1] / amount:.1f}" for amount in dollars[:-1]]
    return " | ".join([*ratios, f"**{dollars[-1]:,.2f}**"])


def settings() -> str:
    """Return the cost of a million emails for other settings of the delivery lane, as Markdown."""
    template = read_template()
    lines = [
        "| batch | window, s | memory, MB | USD per million at 1 million a month | at 1 billion a month |",
        "|---|---|---|---|---|",
    ]
    for batch, window, memory in _delivery_settings():
        lane = replace(template.functions["Delivery"], batch=batch, window=window, memory=memory)
        changed = replace(template, functions={**template.functions, "Delivery": lane})
        costs = [ses_feedback_bill(emails, changed)[0].total() / emails * MILLION for emails in VOLUMES[1:]]
        lines.append(f"| {batch} | {window} | {memory} | {costs[0]:.3f} | {costs[1]:.3f} |")
    return "\n".join(lines)


def monitoring() -> str:
    """Return the monthly cost of each alarm, and of the metrics that only alarms need, as Markdown."""
    alarms = read_template(by_firehose=True).alarms
    default = read_template().alarms
    metrics = len(MONITORING_METRICS) * prices.CUSTOM_METRIC_MONTH
    rows = [
        f"| {' '.join(f'`{name}`' for name in sorted(alarms) if alarms[name] == watched)} | {watched} | "
        f"{watched * prices.ALARM_METRIC_MONTH:.2f} |"
        for watched in sorted(set(alarms.values()))
    ]
    total = sum(default.values()) * prices.ALARM_METRIC_MONTH
    return "\n".join(
        [
            "| alarm | metrics | USD a month each |",
            "|---|---|---|",
            *rows,
            f"| **all {len(default)} without Firehose** | {sum(default.values())} | **{total:.2f}** |",
            f"| metrics for alarms: {', '.join(MONITORING_METRICS)} | | {metrics:.2f} |",
        ]
    )


def _delivery_settings() -> list[tuple[int, int, int]]:
    batches = [(10, 0, 512), (100, 1, 512), (1000, 1, 512)]
    windows = [(1000, window, 512) for window in (5, 20, 60, 120, 300)]
    memories = [(1000, 60, memory) for memory in (256, 1024, 1769)]
    return [*batches, *windows, *memories]


def main() -> None:
    """Print all tables."""
    for emails in VOLUMES:
        print(table(emails))
    print(settings())
    print(monitoring())


if __name__ == "__main__":
    main()
