"""The fault injector: every AWS call of every actor passes through it, and it injects the faults of the case."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple, NoReturn

from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from campaigns.simulation.case import Case, Outage
from campaigns.simulation.fault_kinds import (
    AFTER_EFFECT,
    BEFORE_EFFECT,
    CODES,
    FAULTS,
    LASTING,
    LASTING_CALLS,
    LATE_EFFECT,
    PARTIAL_EFFECT,
    SERVICES,
)
from campaigns.simulation.messages import START
from campaigns.simulation.scheduler import SECOND, Crash, Scheduler
from tests.support.dynamodb_table import refused

Answer = dict[str, Any]
Effect = Callable[[], Answer]
"""Applies a call to the simulated service, and returns the answer."""

_STALLS = (1, 20, 65, 200, 290, 400)
"""Seconds that a stalled call takes: shorter and longer than the timeouts of the functions and of their leases."""
_LATE_BY = (6, 12, 25)
"""Seconds after which a late call takes effect."""
_TIMEOUT = 5 * SECOND


class TracedCall(NamedTuple):
    """A call in the trace of a run. `outcome` is its fault or error code, or empty."""

    clock: int
    actor: str
    operation: str
    about: str
    outcome: str


class FaultInjector:
    """Stands between the actors and AWS: counts each call as a step, injects its fault, and traces it.

    While a service applies a call, `fault` and `argument` are the fault of this call that the service must apply
    itself, for example to a part of the call; `fault` is empty otherwise.
    """

    def __init__(self, case: Case, scheduler: Scheduler) -> None:
        """Inject the faults of `case`."""
        self.scheduler = scheduler
        self.trace: list[TracedCall] = []
        self.fault = ""
        self.argument = 0
        self.faults_by_name: Counter[str] = Counter()
        self._latest_now = 0, START
        self._faults = {(fault.operation, fault.nth): fault.number for fault in case.faults}
        self._switches = {(switch.operation, switch.nth): switch.choice for switch in case.switches}
        self._outages = case.outages
        self._calls: dict[str, int] = {}
        self._lasting: dict[str, tuple[str, int]] = {}
        self._case = case
        self._staleness = iter(case.staleness)
        self._late: list[tuple[int, str, Effect]] = []

    @property
    def fault_count(self) -> int:
        """The number of faults."""
        return self.faults_by_name.total()

    def now(self) -> datetime:
        """Return the virtual time."""
        if self._latest_now[0] != self.scheduler.clock:
            self._latest_now = self.scheduler.clock, START + timedelta(microseconds=self.scheduler.clock)
        return self._latest_now[1]

    def sleep(self, seconds: float) -> None:
        """Let the running actor wait, like `time.sleep`."""
        self.scheduler.wait(max(0, round(seconds * SECOND)))

    def call(self, operation: str, about: str, effect: Effect, parts: int = 1) -> Answer:  # noqa: ARG002 (for subclasses)
        """Make a call with the fault of the case, if it has one. `parts` is the number of its independent parts."""
        nth = self._calls.get(operation, 0)
        self._calls[operation] = nth + 1
        self.scheduler.step(self._switches.get((operation, nth)))
        outage = self._outage_of(operation) if self._outages else None
        if outage:
            self._fail_in_outage(operation, about, outage)
        number = self._faults.get((operation, nth))
        if number is None:
            lasting = self._lasting.get(operation)
            if lasting and nth < lasting[1]:
                return self._call_with_fault(operation, about, (lasting[0], 0), effect)
            return self._call_without_fault(operation, about, effect)
        argument, which = divmod(number, len(FAULTS[operation]))
        fault = FAULTS[operation][which]
        if fault in LASTING:
            self._lasting[operation] = fault, nth + LASTING_CALLS
        return self._call_with_fault(operation, about, (fault, argument), effect)

    def add_remark(self, outcome: str) -> None:
        """Append `outcome` to the latest call of the running actor in the trace."""
        name = self.scheduler.running_actor().name
        at = next(at for at in range(len(self.trace) - 1, -1, -1) if self.trace[at].actor == name)
        call = self.trace[at]
        self.trace[at] = call._replace(outcome=" ".join(filter(None, (call.outcome, outcome))))

    def applied_parts(self, records: Sequence[str]) -> list[bool]:
        """Return for each part of the present call whether it takes effect; `records` are the kinds of the parts."""
        if self.fault in LASTING:
            return [not record.startswith(LASTING[self.fault]) for record in records]
        if self.fault not in {"statements rejected", *PARTIAL_EFFECT}:
            return [True] * len(records)
        applied = [bool(self.argument >> number % 8 & 1) for number, _ in enumerate(records)]
        return applied if not all(applied) else [False, *applied[1:]]

    @property
    def part_error(self) -> str:
        """Error code of the parts of the present call that take no effect."""
        codes = CODES["statements rejected"]
        return codes[self.argument % len(codes)]

    def next_staleness(self) -> int:
        """Return the number of versions by which the next eventually consistent read is behind."""
        return next(self._staleness, 0)

    def restart_staleness(self) -> None:
        """Make the next eventually consistent reads as stale as the first ones were."""
        self._staleness = iter(self._case.staleness)

    def add_late_effect(self, at: int, about: str, effect: Effect) -> None:
        """Let `effect` happen at this time, while no caller waits for it."""
        self._late.append((at, about, effect))

    def end_of_outage(self, at: int, service: str) -> int:
        """Return `at`, or the end of the outage of `service` at that time."""
        ends = (one.ends * SECOND for one in self._outages if one.service == service and one.begins * SECOND <= at)
        return max(at, *ends, 0)

    def due(self) -> int | None:
        """Return the time of the next late effect, or None if there is none."""
        return min((at for at, _, _ in self._late), default=None)

    def perform(self) -> None:
        """Apply the late effects that are due."""
        at = self.due()
        for late in [late for late in self._late if late[0] == at]:
            self._late.remove(late)
            self._trace("late", late[1], "")
            with suppress(ClientError):
                late[2]()

    def state(self) -> object:
        """Return the late effects, and their times."""
        return sorted((at, about) for at, about, _ in self._late)

    def digest(self) -> int:
        """Return a hash of the trace: equal runs have equal digests."""
        return int.from_bytes(blake2b(repr([*map(tuple, self.trace)]).encode(), digest_size=8).digest(), "big")

    def _outage_of(self, operation: str) -> Outage | None:
        for outage in self._outages:
            affected = operation in SERVICES.get(outage.service, ())
            if affected and outage.begins * SECOND <= self.scheduler.clock < outage.ends * SECOND:
                return outage
        return None

    def _fail_in_outage(self, operation: str, about: str, outage: Outage) -> NoReturn:
        self.faults_by_name["outage"] += 1
        self._trace(operation, about, "outage")
        if outage.hangs:
            self._time_out()
        raise refused(operation, "ServiceUnavailable")

    def _trace(self, operation: str, about: str, outcome: str) -> int:
        actor = self.scheduler.running_actor().name
        self.trace.append(TracedCall(self.scheduler.clock, actor, operation, about, outcome))
        return len(self.trace) - 1

    def _call_without_fault(self, operation: str, about: str, effect: Effect) -> Answer:
        at = self._trace(operation, about, "")
        try:
            return effect()
        except ClientError as error:
            self.trace[at] = self.trace[at]._replace(outcome=error.response["Error"]["Code"])
            raise

    def _call_with_fault(self, operation: str, about: str, injected: tuple[str, int], effect: Effect) -> Answer:
        fault, argument = injected
        self.faults_by_name[fault] += 1
        self._trace(operation, about, fault)
        if fault in BEFORE_EFFECT:
            self._fail_before(operation, fault, argument)
            return effect()  # a stalled call takes effect late
        if fault in AFTER_EFFECT:
            answer = effect()
            return self._fail_after(operation, fault, argument, effect) or answer
        if fault in LATE_EFFECT:
            self._fail_while_late(f"{operation} {about}", fault, argument, effect)
        if fault in {"denied", "rejected", "not found"}:
            raise refused(operation, CODES[fault][0])
        if fault == "malformed answer":
            if argument % 2:
                effect()
            return {}
        answer = self._apply_with_fault(fault, argument, effect)
        return self._fail_after(operation, fault, argument, effect) or answer

    def _apply_with_fault(self, fault: str, argument: int, effect: Effect) -> Answer:
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
            case "connection refused":
                raise EndpointConnectionError(endpoint_url="aws")
            case "crashed":
                raise Crash
            case _:
                self._stall(argument)

    def _fail_after(self, operation: str, fault: str, argument: int, effect: Effect) -> Answer | None:
        """Fail after the effect, or return another answer; None stands for the answer of the call itself."""
        match fault:
            case "failed after effect" | "failed in part":
                raise refused(operation, CODES[fault][argument % 2])
            case "timed out after effect" | "timed out in part":
                self._time_out()
            case "answer lost":
                raise ConnectionClosedError(endpoint_url="aws")
            case "crashed after effect" | "crashed in part":
                raise Crash
            case "answer lost, call repeated" | "answer lost in part, call repeated":
                return effect()  # botocore repeats the call, so its caller gets the second answer
            case "stalled after effect":
                self._stall(argument)
        return None

    def _fail_while_late(self, about: str, fault: str, argument: int, effect: Effect) -> NoReturn:
        self.add_late_effect(self.scheduler.clock + _LATE_BY[argument % len(_LATE_BY)] * SECOND, about, effect)
        if fault.startswith("crashed"):
            raise Crash
        self._time_out()

    def _time_out(self) -> NoReturn:
        self.scheduler.wait(_TIMEOUT)
        raise ReadTimeoutError(endpoint_url="aws")

    def _stall(self, argument: int) -> None:
        self.scheduler.wait(_STALLS[argument % len(_STALLS)] * SECOND)
