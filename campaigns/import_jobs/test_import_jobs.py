"""The promises hold with imports too, through faults, crashes and every order; and a bug in them would be noticed.

`python -m campaigns.import_jobs.__main__ --seeds 20000` plays more.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from campaigns.import_jobs.simulator import BacklogWorld, a_world, perform
from campaigns.simulation.case import Case, Fault, Reinstatement
from campaigns.simulation.fault_kinds import FAULTS
from campaigns.simulation.message_builder import build_message
from campaigns.simulation.message_kinds import KINDS
from campaigns.simulation.messages import Message
from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts.record import ContactRecord, marked
from ses_feedback.suppression import entry_writer
from ses_feedback.suppression.import_jobs.job_client import ImportJobClient
from ses_feedback.suppression.import_jobs.model import ImportJob, JobOutcome, Stage, lease_name
from ses_feedback.suppression.import_jobs.settle import ImportSettlement
from ses_feedback.suppression.import_jobs.start import ImportStarter

SLICE = 600
"""Cases of the test that plays chance's."""
BUDGET = 2_000
"""Cases made by chance within which a bug must be found."""
HURT = 40
"""Cases of calls broken one by one within which it must be found otherwise."""
SOON = 8
"""Calls of each kind that are broken: later ones are other sweeps'."""
CREATING = "put_suppressed_destination"
"""What stands for SES being asked for a job too."""
CALLS = (
    "batch_get_item",
    "put_item",
    "get_item",
    "update_item",
    CREATING,
    "delete_suppressed_destination",
    "put_events",
)
"""Those that SuppressionFunction makes, as the world names them."""


def violations(world: BacklogWorld) -> list[str]:
    """Return the promises a world breaks."""
    return [str(violation) for violation in perform(world).violations]


def test_no_promise_is_broken() -> None:
    """Whatever breaks, and whatever SES makes of a job, the list ends as the contacts are."""
    worlds = [a_world(seed) for seed in range(SLICE)]
    assert [(seed, broken) for seed, world in enumerate(worlds) if (broken := violations(world))] == []
    fates = {job.fate for world in worlds for job in world.importer.jobs}
    assert fates == {"COMPLETED", "FAILED", "FAILED HALFWAY", "ONE RECORD", "UNHEARD OF"}


def _say(kind: str, address: str, at: int, identity: int, number: int) -> Message:
    said = next(one for _, one in KINDS if one.name == kind)
    return build_message(said, [(address, address)], at, identity=identity, arrives=max(at, 0), number=number, shape=1)


def a_case(*faults: Fault) -> Case:
    """Two addresses bounce; one of them is reinstated and the other complains while SES is at it."""
    ann, bob = "ann@example.com", "bob@example.org"
    said = (
        _say("hard bounce", ann, -1_000, 0, 0),
        _say("hard bounce", bob, -1_000, 1, 1),
        _say("complaint", bob, 330_000, 2, 2),
    )
    return Case(said, reinstatements=(Reinstatement(310_000, ann),), faults=faults, feedback_workers=1)


@pytest.mark.parametrize("seed", range(2))
def test_every_fault_of_a_call_is_survived(seed: int) -> None:
    """Whatever happens to whatever call while SES is at it, one at a time: the list ends as it should."""
    played = dict(hurt(seed))
    assert {str(fault): found for fault, world in played.items() if (found := violations(world))} == {}
    assert played[None].importer.jobs != []
    assert len(played) > 300


def hurt(seed: int) -> Iterator[tuple[Fault | None, BacklogWorld]]:
    """Yield the case above without a fault, and with every fault that one of its calls can suffer, a world each."""
    yield None, BacklogWorld(a_case(), seed, streaming=False)
    world = BacklogWorld(a_case(), seed, streaming=False)
    perform(world)
    made: Counter[str] = Counter(row[2] for row in world.injector.trace)
    for operation in CALLS:
        for nth in range(min(made[operation], SOON)):
            for number in range(len(FAULTS[operation])):
                fault = Fault(operation, nth, number)
                yield fault, BacklogWorld(a_case(fault), seed, streaming=False)


# --- Would a bug be noticed? -----------------------------------------------------------------------------------------


def _marked_whatever_it_is(self: Any, one: ImportJob, stored: ContactRecord, held: str) -> ContactRecord | None:  # noqa: ANN401
    if not stored.lease.startswith(lease_name(one)):
        return ImportSettlement._pending_again(self, one, stored, held)  # noqa: SLF001
    return marked(stored, held)


def _never_written_again(self: Any, one: ImportJob, stored: ContactRecord, held: str) -> ContactRecord | None:  # noqa: ANN401
    return ImportSettlement._without_job_lease(self, one, stored, held)  # noqa: SLF001


def _forgotten_when_lost(real: Callable[..., None]) -> Callable[..., None]:
    def give_back(self: Any, one: ImportJob, _then: Stage | None, *rest: Any) -> None:  # noqa: ANN401
        real(self, one, None, *rest)

    return give_back


def _asked_before_it_is_noted(real: Callable[..., bool]) -> Callable[..., bool]:
    def note(self: Any, one: ImportJob, stage: Stage) -> bool:  # noqa: ANN401
        return stage is Stage.CREATING or real(self, one, stage)

    return note


def _always_carried_out(real: Callable[..., Any]) -> Callable[..., Any]:
    def outcome(self: Any, job_id: str, entries: int) -> Any:  # noqa: ANN401
        told = real(self, job_id, entries)
        return JobOutcome.COMPLETED if told is JobOutcome.FAILED else told

    return outcome


def _refused_when_unanswered(real: Callable[..., Any]) -> Callable[..., Any]:
    def create(self: Any, *request: Any) -> Any:  # noqa: ANN401
        told = real(self, *request)
        return Refusal(RefusalKind.REJECTED, told.code) if isinstance(told, Refusal) else told

    return create


def _claimable_if_imported(real: Callable[..., bool]) -> Callable[..., bool]:
    return lambda stored, now, own="": stored.lease.startswith("import-") or real(stored, now, own)


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug: `wrong` makes of what is there, under `name` in `where`, something wrong."""

    what: str
    where: Any
    name: str
    wrong: Callable[[Any], Any]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the bug."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.where, self.name, self.wrong(getattr(self.where, self.name)))
            yield


BUGS = [
    Bug("marked without a look at rev", ImportSettlement, "_synced", lambda _: _marked_whatever_it_is),
    Bug(
        "contacts changed during an import are not pending again",
        ImportSettlement,
        "_pending_again",
        lambda _: _never_written_again,
    ),
    Bug("a lost job is forgotten", ImportSettlement, "_release", _forgotten_when_lost),
    Bug("SES is asked before that is noted", ImportStarter, "_record", _asked_before_it_is_noted),
    Bug("a failed job counts as carried out", ImportJobClient, "outcome", _always_carried_out),
    Bug("no answer counts as a refusal", ImportJobClient, "create", _refused_when_unanswered),
    Bug("an import's lease is ignored", entry_writer, "can_lease", _claimable_if_imported),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_a_bug_is_noticed(bug: Bug) -> None:
    """Each of these makes some case break a promise."""
    with bug.planted():
        assert next(filter(None, map(violations, worlds())), []) != []


def worlds() -> Iterator[BacklogWorld]:
    """Yield cases made by chance, and those above in which SES takes its time."""
    for seed in range(BUDGET):
        yield a_world(seed)
        if seed < HURT:
            yield from (world for fault, world in hurt(seed) if not fault or fault.operation == CREATING)
