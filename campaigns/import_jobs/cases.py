"""Cases of the simulation in which sweeps start import jobs, and feedback arrives while the jobs run."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from campaigns.import_jobs.simulator import run_case
from campaigns.simulation.case import Case, Fault, Outage, Reinstatement
from campaigns.simulation.case_generator import generate_case
from campaigns.simulation.fault_kinds import FAULTS
from campaigns.simulation.import_service import JobPlan
from campaigns.simulation.message_builder import build_message
from campaigns.simulation.message_kinds import find_kind
from campaigns.simulation.messages import Message
from campaigns.simulation.scheduler import SECOND

ANN, BOB = "ann@example.com", "bob@example.org"
NO_STREAM = Outage("stream", 0, 7 * 86_400)
"""The stream delivers nothing, so all contacts stay pending until a sweep."""
PLANS = {
    "the job completes": JobPlan(200 * SECOND, 5 * SECOND, reads_late=False, outcome=0, position=0),
    "the job begins after half an hour": JobPlan(2_000 * SECOND, 5 * SECOND, reads_late=False, outcome=0, position=0),
    "one entry fails": JobPlan(200 * SECOND, 5 * SECOND, reads_late=True, outcome=2, position=0),
    "the job fails": JobPlan(200 * SECOND, 5 * SECOND, reads_late=False, outcome=3, position=1),
}
"""The course of each import job of a case. A job begins after minutes, so that contacts change before."""
OPERATIONS = (
    *("batch_get_item", "batch_execute_statement", "put_item", "get_item", "update_item", "query"),
    *("put_suppressed_destination", "delete_suppressed_destination", "create_import_job", "get_import_job"),
    *("put_object", "get_object", "delete_object", "put_events"),
)
"""Operations that SuppressionFunction calls."""
_DELAYS = (0, 0, 320_000, 420_000, 2_000_000, 4_000_000, 25_000_000)
"""Milliseconds by which a message or a command comes later: up to seven hours, while jobs run."""
_NOT_FOUND = Fault("get_import_job", 0, FAULTS["get_import_job"].index("not found"))
"""SES does not know a job that it nevertheless completes."""


def generate_import_case(seed: int) -> Case:
    """Return the import case of this seed. One of three has a stream that works."""
    rng = random.Random(seed)  # noqa: S311 (repeatable, not secret)
    case = generate_case(seed, postpone=lambda: rng.choice(_DELAYS))
    return replace(
        case,
        reinstatements=tuple(replace(one, at=one.at + rng.choice(_DELAYS)) for one in case.reinstatements),
        outages=() if seed % 3 == 0 else (NO_STREAM,),
        backlog=0,
        faults=(*case.faults, _NOT_FOUND) if rng.random() < 0.1 else case.faults,
    )


def two_contacts_case(plan: JobPlan, *faults: Fault) -> Case:
    """Return a case in which two addresses bounce. During the import one is reinstated, and the other complains."""
    return Case(
        (
            _message("hard bounce", ANN, -1_000, 0),
            _message("hard bounce", BOB, -1_000, 1),
            _message("complaint", BOB, 330_000, 2),
        ),
        reinstatements=(Reinstatement(310_000, ANN, "opted_in"),),
        faults=faults,
        feedback_workers=1,
        outages=(NO_STREAM,),
        backlog=0,
        jobs=(plan.encode(),) * 4,
    )


def cases_with_each_fault(plan: JobPlan, max_calls: int, operations: Iterable[str] = OPERATIONS) -> Iterator[Case]:
    """Yield the case of two contacts without a fault, and once with each fault of the first calls of each operation."""
    without_faults = two_contacts_case(plan)
    yield without_faults
    calls = Counter(call.operation for call in run_case(without_faults).injector.trace)
    for operation in operations:
        numbers = {fault: number for number, fault in enumerate(FAULTS[operation])}
        for nth in range(min(calls[operation], max_calls)):
            for number in numbers.values():
                yield two_contacts_case(plan, Fault(operation, nth, number))


def _message(kind: str, address: str, at: int, number: int) -> Message:
    recipients = [(address, address)]
    return build_message(find_kind(kind), recipients, at, identity=number, arrives=max(at, 0), number=number, shape=1)
