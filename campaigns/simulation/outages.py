"""Services that are away for days: what becomes of it all, without anybody doing anything; and redriving, thrice."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from campaigns.simulation.campaign import repeatable
from campaigns.simulation.case import Case, Outage
from campaigns.simulation.case_generator import generate_case
from campaigns.simulation.lanes import RECEIVES
from campaigns.simulation.messages import Message
from campaigns.simulation.scheduler import SECOND
from campaigns.simulation.simulator import World

HOUR = 3_600
DAY = 24 * HOUR
REDRIVES = 3
_FIRST = 1_000_000
"""Where the numbers of messages that come out of quarantine begin."""

OUTAGES: dict[str, tuple[Outage, ...]] = {
    "DynamoDB is down for 24 hours": (Outage("DynamoDB", 0, DAY),),
    "DynamoDB goes down in the middle, for 24 hours": (Outage("DynamoDB", 1, DAY),),
    "EventBridge is down for 24 hours": (Outage("EventBridge", 0, DAY),),
    "EventBridge hangs for 24 hours": (Outage("EventBridge", 0, DAY, hangs=True),),
    "SQS takes nothing into quarantine for 24 hours": (Outage("SQS", 0, DAY),),
    "SES is down for 7 days": (Outage("SES", 0, 7 * DAY),),
    "the stream hands over nothing for 25 hours, and its records expire": (Outage("stream", 0, 25 * HOUR),),
    "SuppressionFunction can't be invoked for 2 days, and the stream's records expire": (
        Outage("SuppressionFunction", 0, 2 * DAY),
    ),
    "DynamoDB is down for 24 hours, SES and EventBridge for 3 days, the stream for 2": (
        Outage("DynamoDB", 0, DAY),
        Outage("SES", 0, 3 * DAY),
        Outage("EventBridge", 0, 3 * DAY),
        Outage("stream", 0, 2 * DAY),
    ),
}
"""What is away, and for how long. Nobody has to do anything about any of these."""
TOO_LONG: dict[str, tuple[Outage, ...]] = {"DynamoDB is down for 6 days": (Outage("DynamoDB", 0, 6 * DAY),)}
"""What is away so long that messages end on the dead-letter queue, from where they are redriven, once."""


@dataclass
class Outcome:
    """What became of many cases in an outage. `late` is how long after it the last contact was written."""

    cases: int = 0
    messages: int = 0
    calls: int = 0
    broken: int = 0
    receives: int = 0
    dead: int = 0
    late: int = 0
    changed: int = 0
    violations: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        """Say it on one line."""
        return (
            f"{self.cases:,} cases of {self.messages:,} messages, {self.calls:,} calls of AWS, {self.broken:,} broken; "
            f"a message was received at most {self.receives:,} times of {RECEIVES:,}, {self.dead:,} dead letters; "
            f"the last contact was written {timedelta(seconds=self.late)} afterwards at the latest; "
            f"{self.changed} changed by redriving everything {REDRIVES} times; {self.violations} violations "
            f"({self.seconds:,.0f} s)"
        )


def suffer(name: str, seeds: Iterable[int]) -> Outcome:
    """Play the cases of these seeds during the outage of this name, and redrive everything afterwards."""
    begun = time.monotonic()
    outcome = Outcome()
    for case in _cases(seeds, {**OUTAGES, **TOO_LONG}[name]):
        with repeatable(case):
            world = World(case)
            world.stage.run()
            outcome.receives = max(outcome.receives, *world.watch.lanes.received.values(), 0)
            outcome.dead += len(world.watch.lanes.dead)
            _redrive(world, world.watch.lanes.take_dead())
            world.watch.finished()
            _add(outcome, world)
            settled = snapshot(world)
            for time_ in range(REDRIVES):
                _redrive(world, [*case.messages, *_quarantined(world, time_)])
                world.watch.finished()
            outcome.changed += snapshot(world) != settled
            outcome.violations += bool(world.watch.violations)
    outcome.seconds = time.monotonic() - begun
    return outcome


def snapshot(world: World) -> bytes:
    """Return every byte of the table, of the list, and of what was published."""
    items = sorted((*key, item) for key, item in world.table.items.items())
    return json.dumps([items, world.held.entries, world.watch.published], sort_keys=True).encode()


def _cases(seeds: Iterable[int], outages: tuple[Outage, ...]) -> Iterator[Case]:
    for seed in seeds:
        yield replace(generate_case(seed), outages=outages)


def _add(outcome: Outcome, world: World) -> None:
    ends = max(outage.ends * SECOND for outage in world.case.outages)
    arrived = max((message.arrives * 1000 for message in world.case.messages), default=0)
    outcome.cases += 1
    outcome.messages += len(world.case.messages)
    outcome.calls += world.stage.steps
    outcome.broken += world.wires.broken
    written = max((change.at for shard in world.table.stream for change in shard), default=0)
    outcome.late = max(outcome.late, (written - max(ends, arrived)) // SECOND)


def _quarantined(world: World, time_: int) -> Iterator[Message]:
    """Yield what is in quarantine, as it comes back from there: under other numbers, and perhaps down another lane."""
    now = world.stage.clock // 1000
    for number, body in enumerate(sorted(set(world.watch.quarantined))):
        yield Message("redriven", body, (), "quarantined", number % 2, now, _FIRST * (time_ + 1) + number)


def _redrive(world: World, messages: Iterable[Message]) -> None:
    world.watch.lanes.redrive(list(messages))
    world.wires.read_again()
    world.stage.run()
