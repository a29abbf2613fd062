"""What each kind of feedback costs in request units, calls, log bytes and storage, counted by running the functions."""

import contextlib
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from benchmarks import messages
from benchmarks.lanes import Lanes, Spent
from benchmarks.subjects import OURS
from benchmarks.traffic import Kind

SAMPLE = 100
"""Records of each kind that are counted."""


@dataclass(slots=True)
class Counted:
    """For one record: the calls by name, request units, and bytes stored; `logged` are bytes of an invocation.

    `report` is what SuppressionFunction takes for it.
    """

    calls: dict[str, float]
    units: dict[str, float]
    report: dict[str, float]
    logged: float
    stored: float
    metrics: frozenset[tuple[str, str]] = field(default_factory=frozenset)


@cache
def counted(subject: str, one: Kind) -> Counted:
    """Return what one record of this kind takes."""
    lanes = Lanes(subject)
    with _standard_output() as printed:
        if subject == OURS:
            lanes.feed("Delivery", messages.batches(map(messages.delivery, range(SAMPLE)), SAMPLE, lane="Delivery"))
            lanes.stub.table.stream.take()
        before = lanes.stub.table.stored_bytes().total()
        start = len(printed.getvalue())
        spent = lanes.feed(one.lane, messages.batches(map(one.document, range(SAMPLE)), SAMPLE, lane=one.lane))
        logged = len(printed.getvalue()) - start
        report = lanes.sync() if subject == OURS else Spent()
    return Counted(
        calls=_for_one(spent.calls),
        units=_for_one(spent.units),
        report=_for_one(report.calls)
        | _for_one(report.units)
        | {"invocations": report.invocations / SAMPLE, "slept": report.slept / SAMPLE},
        logged=logged,
        stored=(lanes.stub.table.stored_bytes().total() - before) / SAMPLE,
        metrics=_metrics(printed.getvalue()),
    )


def line_bytes() -> int:
    """Return the bytes of a delivery in an object: SES's document, and its newline."""
    return len(json.dumps(messages.delivery(0), separators=(",", ":"))) + 1


def contact_bytes() -> float:
    """Return the bytes that a contact is stored in of whom only deliveries are known."""
    lanes = Lanes()
    with _standard_output():
        lanes.feed("Delivery", messages.batches(map(messages.delivery, range(SAMPLE)), SAMPLE, lane="Delivery"))
    return lanes.stub.table.stored_bytes().total() / SAMPLE


def _for_one(counts: Mapping[str, float]) -> dict[str, float]:
    return {name: number / SAMPLE for name, number in counts.items()}


@contextlib.contextmanager
def _standard_output() -> Iterator[io.StringIO]:
    # Powertools' loggers keep the standard output they first met.
    held, sys.stdout = sys.stdout, _printed
    _printed.seek(0)
    _printed.truncate()
    try:
        yield _printed
    finally:
        sys.stdout = held


_printed = io.StringIO()


def _metrics(printed: str) -> frozenset[tuple[str, str]]:
    """Return metric names with their dimension: what CloudWatch bills as metrics."""
    lines = [json.loads(line) for line in printed.splitlines() if '"_aws"' in line]
    return frozenset(
        (metric["Name"], line.get("ConfigurationSet", ""))
        for line in lines
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    )
