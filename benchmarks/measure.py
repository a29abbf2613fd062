"""Measure one subject in one scenario, in this process alone, on one core; print what came of it as JSON.

    python -m benchmarks.measure ours hard --batch 1000 --batches 3 --endpoint http://127.0.0.1:4566

`benchmarks.throughput` runs this over and over, the subjects in rate_limiter.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

from benchmarks import messages
from benchmarks.subjects import BASELINE, CREDENTIALS, SUBJECTS, Context, handler

Json = dict[str, Any]


def hard_bounces(size: int) -> Iterator[Json]:
    """Yield batches of hard bounces, every one of another recipient."""
    # Where this process begins is its own: the stub remembers the contacts of the processes before it.
    return messages.batches((messages.bounce(number) for number in count(os.getpid() * 1_000_000)), size)


def known_deliveries(size: int) -> Iterator[Json]:
    """Yield the same batch over and over: after the first, deliveries of a day that has had one."""
    first = os.getpid() * 1_000_000
    event = messages.sqs_event([messages.delivery(first + number) for number in range(size)], lane="Delivery")
    while True:
        yield event


def folded_bounces(size: int) -> Iterator[Json]:
    """Yield batches of hard bounces, ten of each recipient."""
    start = os.getpid() * 1_000_000
    return messages.batches((messages.bounce(start + number // 10, sequence=number % 10) for number in count()), size)


SCENARIOS: dict[str, tuple[str, Callable[[int], Iterator[Json]]]] = {
    "hard": ("Bounce", hard_bounces),
    "deliveries": ("Delivery", known_deliveries),
    "folded": ("Bounce", folded_bounces),
}


def measure(subject: str, scenario: str, batch: int, batches: int, spare: int = 0) -> Json:
    """Return records a second, CPU seconds for a thousand records, and the peak of this process's memory.

    `spare` batches more are made up and not handled: runs that differ only in what they handle are compared by it.
    """
    lane, generate = SCENARIOS[scenario]
    handle, context = handler(subject, lane=lane), Context()
    events = generate(batch)
    # Warm: clients made, connections open, models built, and the contacts of known deliveries known. The baseline knows
    # no contacts, and a few records warm it.
    event = next(events)
    handle({"Records": event["Records"][:10]} if subject == BASELINE else event, context)
    wall = cpu = 0.0
    for _ in range(batches):
        del event  # before the next is made: Lambda holds one at a time
        event = next(events)
        began, burnt = time.perf_counter(), time.process_time()
        handle(event, context)
        wall += time.perf_counter() - began
        cpu += time.process_time() - burnt
    for _ in islice(events, spare):
        pass
    return {
        "records_per_second": batch * batches / wall,
        "cpu_seconds_per_1000": cpu / (batch * batches) * 1000,
        "peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measure", description=__doc__)
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--batches", type=int, default=1, help="how many are timed, after one to warm up")
    parser.add_argument("--spare", type=int, default=0, help="how many are made up beyond that and not handled")
    parser.add_argument("--endpoint", required=True, help="where benchmarks.stub_server listens")
    parser.add_argument("--core", type=int, default=0)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {arguments.core})
    os.environ |= CREDENTIALS | {"AWS_ENDPOINT_URL": arguments.endpoint}
    # What the handlers log goes nowhere, at the cost of a write.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    figures = measure(arguments.subject, arguments.scenario, arguments.batch, arguments.batches, arguments.spare)
    print(json.dumps(figures), file=results, flush=True)


if __name__ == "__main__":
    main()
