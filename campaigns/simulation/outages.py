"""Outages that last for days: the state converges afterwards without an operator, and a redrive changes nothing."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from campaigns.simulation.campaign import fixed_jitter
from campaigns.simulation.case import Case, Outage
from campaigns.simulation.case_generator import generate_case
from campaigns.simulation.lanes import MAX_RECEIVES
from campaigns.simulation.messages import Message
from campaigns.simulation.scheduler import SECOND
from campaigns.simulation.simulator import Simulation

HOUR = 3_600
DAY = 24 * HOUR
REDRIVES = 3
"""Times that every message of a case is redriven after it settled."""
_FIRST_NUMBER = 1_000_000
"""First number of the messages that are redriven from quarantine."""

OUTAGES: dict[str, tuple[Outage, ...]] = {
    "DynamoDB is down for 24 hours": (Outage("DynamoDB", 0, DAY),),
    "DynamoDB goes down during the case, for 24 hours": (Outage("DynamoDB", 1, DAY),),
    "EventBridge is down for 24 hours": (Outage("EventBridge", 0, DAY),),
    "EventBridge hangs for 24 hours": (Outage("EventBridge", 0, DAY, hangs=True),),
    "SQS rejects messages for quarantine for 24 hours": (Outage("SQS", 0, DAY),),
    "SES is down for 7 days": (Outage("SES", 0, 7 * DAY),),
    "the stream delivers nothing for 25 hours, and its records expire": (Outage("stream", 0, 25 * HOUR),),
    "SuppressionFunction cannot be invoked for 2 days, and the stream's records expire": (
        Outage("SuppressionFunction", 0, 2 * DAY),
    ),
    "DynamoDB is down for 24 hours, SES and EventBridge for 3 days, the stream for 2 days": (
        Outage("DynamoDB", 0, DAY),
        Outage("SES", 0, 3 * DAY),
        Outage("EventBridge", 0, 3 * DAY),
        Outage("stream", 0, 2 * DAY),
    ),
}
"""Outages from which the stack recovers without an operator. Stream records expire after 24 hours:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html"""
DEAD_LETTER_OUTAGES: dict[str, tuple[Outage, ...]] = {"DynamoDB is down for 6 days": (Outage("DynamoDB", 0, 6 * DAY),)}
"""Outages so long that messages move to the dead-letter queue. An operator redrives them once."""


@dataclass
class OutageResult:
    """Sums over the cases of an outage.

    `receives` is the most receives of one message, `delay` the most seconds from the end of the outage to the last
    write of a contact before a suspension of it ended, `changed` the number of cases that a redrive changed.
    """

    cases: int = 0
    messages: int = 0
    calls: int = 0
    failed_calls: int = 0
    receives: int = 0
    dead: int = 0
    delay: int = 0
    changed: int = 0
    violations: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        """Return the figures on one line."""
        return (
            f"{self.cases:,} cases, {self.messages:,} messages, {self.calls:,} AWS calls, {self.failed_calls:,} failed"
            f"; at most {self.receives:,} of {MAX_RECEIVES:,} receives of a message, {self.dead:,} dead letters; "
            f"last contact written at most {timedelta(seconds=self.delay)} after the outage; "
            f"{self.changed} cases changed by {REDRIVES} redrives of everything; {self.violations} violations "
            f"({self.seconds:,.0f} s)"
        )


def run_outage(name: str, seeds: Iterable[int]) -> OutageResult:
    """Run the cases of these seeds during the outage with this name, and redrive everything afterwards."""
    started = time.monotonic()
    result = OutageResult()
    for seed in seeds:
        # Feedback that is redriven months later may need deliveries that expired: a redrive is within 28 days.
        case = replace(generate_case(seed), outages={**OUTAGES, **DEAD_LETTER_OUTAGES}[name], expiry=())
        with fixed_jitter(case):
            _run_case(case, result)
    result.seconds = time.monotonic() - started
    return result


def _run_case(case: Case, result: OutageResult) -> None:
    simulation = Simulation(case)
    checker = simulation.checker
    simulation.scheduler.run()
    result.receives = max(result.receives, *checker.lanes.received.values(), 0)
    result.dead += len(checker.lanes.dead)
    _redrive(simulation, checker.lanes.take_dead())
    checker.check_result()
    _add(result, simulation)
    settled = snapshot(simulation)
    for number in range(REDRIVES):
        _redrive(simulation, [*case.messages, *_quarantined(simulation, number)])
        checker.check_result()
    result.changed += snapshot(simulation) != settled
    result.violations += bool(checker.violations)


def snapshot(simulation: Simulation) -> bytes:
    """Return the table, the suppression list, and the published events, byte for byte."""
    items = sorted((*key, item) for key, item in simulation.table.items.items())
    parts = [items, simulation.suppressed.entries, simulation.checker.published]
    return json.dumps(parts, sort_keys=True).encode()


def _add(result: OutageResult, simulation: Simulation) -> None:
    case = simulation.case
    ends = max(outage.ends * SECOND for outage in case.outages)
    arrived = max((message.arrives * 1000 for message in case.messages), default=0)
    changes = [change for shard in simulation.table.stream for change in shard if not change.is_after_release]
    written = max((change.at for change in changes), default=0)
    result.cases += 1
    result.messages += len(case.messages)
    result.calls += simulation.scheduler.steps
    result.failed_calls += simulation.injector.fault_count
    result.delay = max(result.delay, (written - max(ends, arrived)) // SECOND)


def _quarantined(simulation: Simulation, redrive: int) -> Iterator[Message]:
    """Yield the messages in quarantine as a redrive sends them: with new numbers, on either lane."""
    now = simulation.scheduler.clock // 1000
    for number, body in enumerate(sorted(set(simulation.checker.quarantined))):
        yield Message("redriven", body, (), "quarantined", number % 2, now, _FIRST_NUMBER * (redrive + 1) + number)


def _redrive(simulation: Simulation, messages: Iterable[Message]) -> None:
    simulation.checker.lanes.redrive(list(messages))
    simulation.injector.restart_staleness()
    simulation.scheduler.run()
