"""Measure one subject in one scenario, in one process on one core, and print the figures as JSON.

    python -m benchmarks.measure ses-feedback hard --batch 1000 --batches 3 --endpoint http://127.0.0.1:4566

`benchmarks.throughput` runs it repeatedly, alternating between the subjects.
"""

import argparse
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from benchmarks import messages
from benchmarks.account import CREDENTIALS
from benchmarks.subjects import BASELINE, SUBJECTS, Context, create_handler

Json = dict[str, Any]


def hard_bounces(size: int) -> Iterator[Json]:
    """Yield batches of hard bounces, each of a different recipient."""
    # Each process starts with other recipients, because the stub keeps the contacts of earlier processes.
    return messages.batches((messages.bounce(number) for number in count(os.getpid() * 1_000_000)), size)


def known_deliveries(size: int) -> Iterator[Json]:
    """Yield the same batch repeatedly: after the first, each contact already has a delivery on that day."""
    first = os.getpid() * 1_000_000
    event = messages.sqs_event([messages.delivery(first + number) for number in range(size)], lane="Delivery")
    while True:
        yield event


SCENARIOS: dict[str, tuple[str, Callable[[int], Iterator[Json]]]] = {
    "hard": ("Bounce", hard_bounces),
    "deliveries": ("Delivery", known_deliveries),
}


def measure(subject: str, scenario: str, batch: int, batches: int) -> Json:
    """Return records per second, CPU seconds per thousand records, and the peak memory of this process."""
    lane, generate = SCENARIOS[scenario]
    handle, context = create_handler(subject, lane=lane), Context()
    events = generate(batch)
    # The first batch warms up: it opens connections, builds models and creates the contacts of known deliveries. A few
    # records are enough for the baseline, which does not read contacts.
    event = next(events)
    handle({"Records": event["Records"][:10]} if subject == BASELINE else event, context)
    wall = cpu = 0.0
    for _ in range(batches):
        del event  # Lambda holds one event at a time, and the memory is measured.
        event = next(events)
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        handle(event, context)
        wall += time.perf_counter() - wall_start
        cpu += time.process_time() - cpu_start
    return {
        "records_per_second": batch * batches / wall,
        "cpu_seconds_per_1000": cpu / (batch * batches) * 1000,
        "peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Measure the subject and the scenario of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measure", description=__doc__)
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--batches", type=int, default=1, help="number of measured batches, after one that warms up")
    parser.add_argument("--endpoint", required=True, help="URL of benchmarks.stub_server")
    parser.add_argument("--core", type=int, default=0)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {arguments.core})
    os.environ |= CREDENTIALS | {"AWS_ENDPOINT_URL": arguments.endpoint}
    # Log lines of the handlers are written to /dev/null, so they cost a write.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    figures = measure(arguments.subject, arguments.scenario, arguments.batch, arguments.batches)
    print(json.dumps(figures), file=results, flush=True)


if __name__ == "__main__":
    main()
