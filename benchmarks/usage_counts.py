"""The request units, calls, log bytes and storage of each kind of event, counted while the functions process them."""

import contextlib
import io
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from benchmarks import messages
from benchmarks.lanes import Lanes, Usage
from benchmarks.subjects import SES_FEEDBACK
from benchmarks.traffic import EventKind

SAMPLE = 100
"""Number of counted records of each kind."""


@dataclass(slots=True)
class RecordUsage:
    """The usage of one record: calls and request units by name, and stored bytes.

    `sync` is the usage of SuppressionFunction. `logged` are the bytes that one invocation of the lane logs. `cpu` are
    the CPU seconds of one record on this machine, with those of the stub of AWS.
    """

    calls: dict[str, float]
    units: dict[str, float]
    sync: dict[str, float]
    logged: float
    stored: float
    cpu: float
    metrics: frozenset[tuple[str, str]] = field(default_factory=frozenset)


@cache
def count_usage(subject: str, kind: EventKind) -> RecordUsage:
    """Return the usage of one record of a kind."""
    lanes = Lanes(subject)
    with _capture_standard_output() as output:
        if subject == SES_FEEDBACK:
            lanes.process("Delivery", messages.batches(map(messages.delivery, range(SAMPLE)), SAMPLE, lane="Delivery"))
            lanes.stub.table.stream.take()
        stored = lanes.stub.table.stored_bytes().total()
        start = len(output.getvalue())
        events = messages.batches(map(kind.document, range(SAMPLE)), SAMPLE, lane=kind.lane)
        started = time.process_time()
        usage = lanes.process(kind.lane, events)
        cpu = (time.process_time() - started) / SAMPLE
        logged = len(output.getvalue()) - start
        sync = lanes.sync() if subject == SES_FEEDBACK else Usage()
    return RecordUsage(
        calls=_per_record(usage.calls),
        units=_per_record(usage.units),
        sync=_per_record(sync.calls)
        | _per_record(sync.units)
        | {"invocations": sync.invocations / SAMPLE, "slept": sync.slept / SAMPLE},
        logged=logged,
        stored=(lanes.stub.table.stored_bytes().total() - stored) / SAMPLE,
        cpu=cpu,
        metrics=_metrics(output.getvalue()),
    )


def delivery_line_bytes() -> int:
    """Return the size of a delivery in an object: the SES event and a newline."""
    return len(json.dumps(messages.delivery(0), separators=(",", ":"))) + 1


@cache
def contact_bytes() -> float:
    """Return the stored size of a contact with deliveries only."""
    lanes = Lanes()
    with _capture_standard_output():
        lanes.process("Delivery", messages.batches(map(messages.delivery, range(SAMPLE)), SAMPLE, lane="Delivery"))
    return lanes.stub.table.stored_bytes().total() / SAMPLE


def _per_record(counts: Mapping[str, float]) -> dict[str, float]:
    return {name: number / SAMPLE for name, number in counts.items()}


_output = io.StringIO()


@contextlib.contextmanager
def _capture_standard_output() -> Iterator[io.StringIO]:
    # Always the same stream, because the loggers of Powertools keep the one of their creation.
    original, sys.stdout = sys.stdout, _output
    _output.seek(0)
    _output.truncate()
    try:
        yield _output
    finally:
        sys.stdout = original


def _metrics(output: str) -> frozenset[tuple[str, str]]:
    """Return the names and dimensions of all metrics. CloudWatch bills each combination."""
    lines = [json.loads(line) for line in output.splitlines() if '"_aws"' in line]
    return frozenset(
        (metric["Name"], line.get("ConfigurationSet", ""))
        for line in lines
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    )
