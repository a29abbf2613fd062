"""Make what happened in a case readable, as far as it has to do with what went wrong."""

import re
from collections.abc import Iterator
from datetime import timedelta

from campaigns.simulation.messages import START
from campaigns.wire.fake_aws import Called
from campaigns.wire.simulator import World

_ADDRESS = re.compile(r"c\d+@example\.com")
_LAST = 60
"""Calls shown when the first violation names no contact."""


def readable(world: World) -> str:
    """Return the messages, the calls and the final state of the contact that the first violation names."""
    violations = world.checker.violations
    named = _ADDRESS.search(violations[0].description) if violations else None
    address = named[0] if named else ""
    told = world.case.told
    about = [message for message in told.messages if address and address in {one.address for one in message.facts}]
    shown = [called for called in world.aws.log if not address or _names(called, address)]
    sizes = f"{told.feedback_workers} feedback workers, {told.shards} shards, {told.sweeps} sweeps at once"
    sizes += f", DynamoDB {'through botocore' if world.case.botocore else 'directly'}"
    return "\n".join(
        [
            f"case {world.case.seed}: {len(told.messages)} messages in batches of {told.batch}, {sizes}",
            *(f"  {message}" for message in about),
            *(_line(called) for called in (shown if address else shown[-_LAST:])),
            *_end(world, address),
            *map(str, violations),
        ]
    )


def _names(called: Called, address: str) -> bool:
    found = re.search(rf"\b{re.escape(address)}", called.about, re.IGNORECASE)
    return found is not None or called.operation.startswith("**")


def _line(called: Called) -> str:
    time = f"{START + timedelta(microseconds=called.at):%d %H:%M:%S.%f}"[:-3]
    return f"  {time}  {called.worker:11} {called.operation:29} {called.about[:200]}  {called.came_to}"


def _end(world: World, address: str) -> Iterator[str]:
    if not address:
        return
    item = world.table.contact(address)
    if item:
        yield f"  in the end: { {name: next(iter(value.values())) for name, value in item.items()} }"
    entries = {name: reason for name, reason in world.entries.entries.items() if name.lower() == address}
    yield f"  on the list: {entries}"
