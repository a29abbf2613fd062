"""Every call of AWS by every actor goes through here, and is broken when the case wants it."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, NoReturn

from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from campaigns.simulation.case import Case, Outage
from campaigns.simulation.fault_kinds import (
    CODES,
    DONE,
    FAULTS,
    FOR_SO_MANY,
    LASTING,
    LATE,
    PARTLY,
    SERVICES,
    UNDONE,
    refused,
)
from campaigns.simulation.messages import START
from campaigns.simulation.scheduler import SECOND, Actor, Crash, Stage

Answer = dict[str, Any]
Effect = Callable[[], Answer]

_STALLS = (1, 20, 65, 200, 290, 400)
_LATER = (6, 12, 25)
_TIMED_OUT = 5 * SECOND


class Wires:
    """Between the actors and AWS: every call is a step, broken when the case wants it, and kept in the trace."""

    def __init__(self, case: Case, stage: Stage) -> None:
        """Break what `case` says."""
        self.stage = stage
        self.trace: list[tuple[int, str, str, str, str]] = []
        self.fault = ""
        self.argument = 0
        self.broken = 0
        self.soft_bounced: Counter[str] = Counter()
        self._shown = 0, START
        self._faults = {(fault.operation, fault.nth): fault.number for fault in case.faults}
        self._switches = {(switch.operation, switch.nth): switch.choice for switch in case.switches}
        self._outages = case.outages
        self._made: dict[str, int] = {}
        self._lasting: dict[str, tuple[str, int]] = {}
        self._case = case
        self._staleness = iter(case.staleness)
        self._late: list[tuple[int, str, Effect]] = []

    def now(self) -> datetime:
        """Return what the clock shows."""
        if self._shown[0] != self.stage.clock:
            self._shown = self.stage.clock, START + timedelta(microseconds=self.stage.clock)
        return self._shown[1]

    def later(self, at: int, about: str, effect: Effect) -> None:
        """Have something happen at this time that nobody waits for."""
        self._late.append((at, about, effect))

    def sleep(self, seconds: float) -> None:
        """Wait, as `time.sleep`."""
        self.stage.wait(max(0, round(seconds * SECOND)))

    def staleness(self) -> int:
        """Return how many versions old the answer of the next eventually consistent read is."""
        return next(self._staleness, 0)

    def chosen(self, records: Sequence[str]) -> list[bool]:
        """Return which parts of the present call are carried out: all, unless its fault is one of some of them."""
        if self.fault in LASTING:
            return [not record.startswith(LASTING[self.fault]) for record in records]
        if self.fault not in {"statements refused", *PARTLY}:
            return [True] * len(records)
        drawn = [bool(self.argument >> number % 8 & 1) for number, _ in enumerate(records)]
        return drawn if not all(drawn) else [False, *drawn[1:]]

    @property
    def code(self) -> str:
        """The error code of the parts of the present call that are not carried out, if anybody lives to see it."""
        codes = CODES["statements refused"]
        return codes[self.argument % len(codes)]

    def read_again(self) -> None:
        """Have the next eventually consistent reads be as stale as the first were."""
        self._staleness = iter(self._case.staleness)

    def call(self, operation: str, about: str, effect: Effect, parts: int = 1) -> Answer:  # noqa: ARG002 (for others)
        """Make a call, as well as the case lets it go; `parts` is how many things it asks for."""
        nth = self._made.get(operation, 0)
        self._made[operation] = nth + 1
        self.stage.step(self._switches.get((operation, nth)))
        outage = self._outage_of(operation) if self._outages else None
        if outage:
            self._strike("down")
            self._note(operation, about, "down")
            if outage.hangs:
                self._time_out()
            raise refused(operation, "ServiceUnavailable")
        number = self._faults.get((operation, nth))
        if number is None:
            lasting = self._lasting.get(operation)
            if lasting and nth < lasting[1]:
                return self._broken(operation, about, (lasting[0], 0), effect)
            return self._unbroken(operation, about, effect)
        argument, which = divmod(number, len(FAULTS[operation]))
        fault = FAULTS[operation][which]
        if fault in LASTING:
            self._lasting[operation] = fault, nth + FOR_SO_MANY
        return self._broken(operation, about, (fault, argument), effect)

    def remark(self, outcome: str) -> None:
        """Add to the trace what came of the acting actor's latest call."""
        name = actor_of(self.stage).name
        note = next(at for at in range(len(self.trace) - 1, -1, -1) if self.trace[at][1] == name)
        self.trace[note] = (*self.trace[note][:4], " ".join(filter(None, (self.trace[note][4], outcome))))

    def postponed(self, at: int, service: str) -> int:
        """Return when what is due from `service` at this time comes: later, if it is down then."""
        ends = (one.ends * SECOND for one in self._outages if one.service == service and one.begins * SECOND <= at)
        return max(at, *ends, 0)

    def _outage_of(self, operation: str) -> Outage | None:
        for outage in self._outages:
            if (
                operation in SERVICES.get(outage.service, ())
                and outage.begins * SECOND <= self.stage.clock < outage.ends * SECOND
            ):
                return outage
        return None

    def due(self) -> int | None:
        """Return when the next call that nobody waits for any more has its effect."""
        return min((at for at, _, _ in self._late), default=None)

    def perform(self) -> None:
        """Let it have its effect."""
        at = self.due()
        for late in [late for late in self._late if late[0] == at]:
            self._late.remove(late)
            self._note("late", late[1], "")
            with suppress(ClientError):
                late[2]()

    def state(self) -> object:
        """Return which calls have yet to have their effect, and when."""
        return sorted((at, about) for at, about, _ in self._late)

    def digest(self) -> int:
        """Return what tells this run from any other."""
        return int.from_bytes(blake2b(repr(self.trace).encode(), digest_size=8).digest(), "big")

    def _strike(self, fault: str) -> None:
        self.broken += 1
        self.soft_bounced[fault] += 1

    def _note(self, operation: str, about: str, outcome: str) -> int:
        self.trace.append((self.stage.clock, actor_of(self.stage).name, operation, about, outcome))
        return len(self.trace) - 1

    def _unbroken(self, operation: str, about: str, effect: Effect) -> Answer:
        note = self._note(operation, about, "")
        try:
            return effect()
        except ClientError as error:
            self.trace[note] = (*self.trace[note][:4], error.response["Error"]["Code"])
            raise

    def _broken(self, operation: str, about: str, broken: tuple[str, int], effect: Effect) -> Answer:
        fault, argument = broken
        self._strike(fault)
        self._note(operation, about, fault)
        if fault in UNDONE:
            self._fail_before(operation, fault, argument)
            return effect()  # it was only late
        if fault in DONE:
            answer = effect()
            return self._fail_after(operation, fault, argument, effect) or answer
        if fault in LATE:
            at = self.stage.clock + _LATER[argument % len(_LATER)] * SECOND
            self.later(at, f"{operation} {about}", effect)
            if fault.startswith("crashed"):
                raise Crash
            self._time_out()
        if fault in {"denied", "refused for good", "not found"}:
            raise refused(operation, CODES[fault][0])
        if fault == "garbled":
            if argument % 2:
                effect()
            return {}
        # The others are for whoever has the effect to see to.
        answer = self._effect(fault, argument, effect)
        return self._fail_after(operation, fault, argument, effect) or answer

    def _effect(self, fault: str, argument: int, effect: Effect) -> Answer:
        self.fault, self.argument = fault, argument
        try:
            return effect()
        finally:
            self.fault = ""

    def _fail_before(self, operation: str, fault: str, argument: int) -> None:
        match fault:
            case "throttled" | "failed":
                raise refused(operation, CODES[fault][argument % 2])
            case "timed out":
                self._time_out()
            case "refused":
                raise EndpointConnectionError(endpoint_url="aws")
            case "crashed":
                raise Crash
            case _:
                self._stall(argument)

    def _fail_after(self, operation: str, fault: str, argument: int, effect: Effect) -> Answer | None:
        match fault:
            case "failed after all" | "failed in part":
                raise refused(operation, CODES[fault][argument % 2])
            case "timed out after all" | "timed out in part":
                self._time_out()
            case "lost":
                raise ConnectionClosedError(endpoint_url="aws")
            case "crashed after" | "crashed in part":
                raise Crash
            case "lost, repeated" | "lost in part, repeated":
                return effect()  # botocore asks again by itself, and so answers for the second time
            case "stalled after":
                self._stall(argument)
        return None

    def _time_out(self) -> NoReturn:
        self.stage.wait(_TIMED_OUT)
        raise ReadTimeoutError(endpoint_url="aws")

    def _stall(self, argument: int) -> None:
        self.stage.wait(_STALLS[argument % len(_STALLS)] * SECOND)


def actor_of(stage: Stage) -> Actor:
    """Return who is acting."""
    if stage.acting is None:
        raise RuntimeError("nobody is on the stage")
    return stage.acting
