"""Describe a case as text: the messages, the calls and the result of the contact that broke a promise."""

import re
from collections.abc import Iterator
from datetime import timedelta

from campaigns.simulation.messages import START
from campaigns.wire.fake_aws import LoggedCall
from campaigns.wire.simulator import WireSimulation

_ADDRESS = re.compile(r"c\d+@example\.com")
_LAST_CALLS = 60
"""Calls shown if the violation names no address."""


def describe_simulation(simulation: WireSimulation) -> str:
    """Return what happened to the contact that the first violation names, or the last calls if it names none."""
    violations, stack = simulation.checker.violations, simulation.case.stack
    named = _ADDRESS.search(str(violations[0])) if violations else None
    address = named[0] if named else ""
    messages = [one for one in stack.messages if address and address in {fact.address for fact in one.facts}]
    calls = [call for call in simulation.aws.log if not address or _is_about(call, address)]
    sizes = f"{stack.feedback_workers} feedback workers, {stack.shards} shards, {stack.sweeps} concurrent sweeps"
    client = "botocore" if simulation.case.botocore else "the direct client"
    return "\n".join(
        [
            f"case {simulation.case.seed}: {len(stack.messages)} messages, batches of {stack.batch}, {sizes}, {client}",
            *(f"  {message}" for message in messages),
            *(_line(call) for call in (calls if address else calls[-_LAST_CALLS:])),
            *_result(simulation, address),
            *map(str, violations),
        ]
    )


def _is_about(call: LoggedCall, address: str) -> bool:
    found = re.search(rf"\b{re.escape(address)}", call.about, re.IGNORECASE)
    return found is not None or call.operation.startswith("**")


def _line(call: LoggedCall) -> str:
    time = f"{START + timedelta(microseconds=call.clock):%d %H:%M:%S.%f}"[:-3]
    return f"  {time}  {call.worker:11} {call.operation:29} {call.about[:200]}  {call.outcome}"


def _result(simulation: WireSimulation, address: str) -> Iterator[str]:
    if not address:
        return
    item = simulation.table.contact(address)
    if item:
        yield f"  contact at the end: { {name: next(iter(value.values())) for name, value in item.items()} }"
    entries = {name: reason for name, reason in simulation.entries.entries.items() if name.lower() == address}
    yield f"  list entries at the end: {entries}"
