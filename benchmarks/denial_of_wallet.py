"""The cost and the calls to the suppression list of a million hostile events of each kind.

    python -m benchmarks.denial_of_wallet

Calls, request units, log bytes and CPU are measured while the functions process a sample (benchmarks.usage_counts).
"""

import json
import math
from dataclasses import dataclass

from benchmarks import prices
from benchmarks.bill import FULL_VCPU, request_units, storage
from benchmarks.hostile_events import HOSTILE_KINDS
from benchmarks.subjects import SES_FEEDBACK
from benchmarks.traffic import RECEIVE_BATCH, EventKind
from benchmarks.usage_counts import SAMPLE, count_usage

MILLION = 1_000_000
MAX_DOLLARS = 60.0
"""The bound: dollars for a million hostile events of any kind. An event costs its sender at least the 100 dollars that
SES bills for a million emails: https://aws.amazon.com/ses/pricing/."""
MAX_LIST_CALLS = 1.0
"""The bound: calls to the suppression list for an event about one recipient."""
_CHUNK = 64 * 1024
"""SNS and SQS bill each 64 KB as a request: https://aws.amazon.com/sqs/pricing/."""


@dataclass(frozen=True, slots=True)
class Attack:
    """The usage of one hostile event."""

    dollars: float
    writes: float
    list_calls: float
    quarantined: float
    stored: float

    @property
    def is_bounded(self) -> bool:
        """True if the usage is within the bounds."""
        return self.dollars * MILLION <= MAX_DOLLARS and self.list_calls <= MAX_LIST_CALLS


def measure_attack(kind: EventKind) -> Attack:
    """Return the usage of one event of a kind, as the mean of a sample."""
    record = count_usage(SES_FEEDBACK, kind)
    chunks = math.ceil(sum(len(json.dumps(kind.document(number))) for number in range(SAMPLE)) / SAMPLE / _CHUNK)
    quarantined = record.calls.get("sqs:SendMessage", 0) + record.calls.get("sqs:SendMessageBatch", 0) * RECEIVE_BATCH
    units = [record.units, record.sync]
    writes = sum(each.get("table writes", 0) + each.get("index writes", 0) for each in units)
    dollars = (
        prices.SNS_PUBLISH * chunks
        + prices.SQS_REQUEST * (chunks + 2 * chunks / RECEIVE_BATCH + min(quarantined, 1) * chunks)
        + sum(request_units(1, each).total() for each in units)
        + storage(record.stored).total()
        + record.logged / SAMPLE / prices.GIGABYTE * prices.LOGGED_GIGABYTE
        + record.sync.get("events:PutEvents", 0) * RECEIVE_BATCH * prices.EVENT
        + record.cpu * prices.LAMBDA_GIGABYTE_SECOND * FULL_VCPU / 1024
    )
    list_calls = sum(number for name, number in record.sync.items() if name.startswith("sesv2:"))
    return Attack(dollars, writes, list_calls, min(quarantined, 1), record.stored)


def table() -> str:
    """Return the usage of a million events of each kind, as Markdown."""
    lines = [
        f"\n**A million hostile events**; bounds: {MAX_DOLLARS:.0f} USD, {MAX_LIST_CALLS:.0f} list call for each:\n",
        "| kind | USD | table and index writes | calls to the suppression list | quarantined | stored, MB | bounded |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, kind in HOSTILE_KINDS.items():
        found = measure_attack(kind)
        writes, list_calls = f"{found.writes * MILLION:,.0f}", f"{found.list_calls * MILLION:,.0f}"
        bounded = "yes" if found.is_bounded else "**no**"
        lines.append(
            f"| {name} | {found.dollars * MILLION:.2f} | {writes} | {list_calls} | {found.quarantined:.0%} "
            f"| {found.stored:,.0f} | {bounded} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
