"""How calls of AWS go wrong, and every call of every actor, which goes through here."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from tests.simulation.case import Case
from tests.simulation.mail import START
from tests.simulation.stage import SECOND, Actor, Crash, Stage

Answer = dict[str, Any]
Effect = Callable[[], Answer]

_UNDONE = ("throttled", "failed", "timed out", "refused", "crashed", "stalled")
"""Faults before the call has its effect."""
_DONE = ("failed after all", "timed out after all", "lost", "crashed after", "stalled after", "lost, repeated")
"""Faults after it."""
_LATE = ("timed out, done later", "crashed, done later")
"""Faults during it: it has its effect when nobody waits for it any more."""
_ANY = _UNDONE + _DONE
FAULTS: Mapping[str, tuple[str, ...]] = {
    "batch_get_item": (*_ANY, "garbled", "unprocessed", "unprocessed", "unprocessed"),
    "put_item": (*_ANY, *_DONE, "garbled"),
    "get_item": _ANY,
    "update_item": (*_ANY, "stalled after", "stalled after", "garbled"),
    "query": (*_ANY, "garbled", "short"),
    "batch_write_item": (*_ANY, "garbled", "unprocessed", "unprocessed"),
    "put_suppressed_destination": (*_ANY, *_LATE, *_LATE, "denied", "refused for good"),
    "delete_suppressed_destination": (*_ANY, *_LATE, *_LATE, "denied", "refused for good"),
    "send_message": (*_ANY, "garbled", "garbled", "garbled"),
    "put_events": (*_ANY, "garbled", "not taken"),
    "receive": ("duplicated", "crashed"),
    "acknowledge": ("not taken", "taken in part", "crashed"),
    "checkpoint": ("not taken",),
}
"""What each call can suffer."""
SERVICES = {
    "DynamoDB": ("batch_get_item", "put_item", "get_item", "update_item", "query", "batch_write_item"),
    "SES": ("put_suppressed_destination", "delete_suppressed_destination"),
    "SQS": ("send_message",),
    "EventBridge": ("put_events",),
}
"""Which calls fail when a service is down."""
_STALLS = (1, 20, 65, 200, 290, 400)
_LATER = (6, 12, 25)
_TIMED_OUT = 5 * SECOND
_CODES = {
    "throttled": ("ThrottlingException", "TooManyRequestsException"),
    "failed": ("InternalServerError", "ServiceUnavailable"),
    "failed after all": ("InternalServerError", "ServiceUnavailable"),
    "denied": ("AccessDeniedException",),
    "refused for good": ("BadRequestException",),
}


def refused(operation: str, code: str) -> ClientError:
    """Return the exception botocore raises when AWS answers with this error code."""
    return ClientError({"Error": {"Code": code, "Message": "made up"}}, operation)


class Wires:
    """Between the actors and AWS: every call is a step, broken when the case wants it, and kept in the trace."""

    def __init__(self, case: Case, stage: Stage) -> None:
        """Break what `case` says."""
        self.stage = stage
        self.trace: list[tuple[int, str, str, str, str]] = []
        self.fault = ""
        self.argument = 0
        self.broken = 0
        self.watched: Callable[[], None] | None = None
        self._faults = {(fault.operation, fault.nth): fault.number for fault in case.faults}
        self._switches = {(switch.operation, switch.nth): switch.choice for switch in case.switches}
        self._outages = case.outages
        self._made: dict[str, int] = {}
        self._staleness = iter(case.staleness)
        self._late: list[tuple[int, Effect]] = []

    def now(self) -> datetime:
        """Return what the clock shows."""
        return START + timedelta(microseconds=self.stage.clock)

    def sleep(self, seconds: float) -> None:
        """Wait, as `time.sleep`."""
        self.stage.wait(max(0, round(seconds * SECOND)))

    def staleness(self) -> int:
        """Return how many versions old the answer of the next eventually consistent read is."""
        return next(self._staleness, 0)

    def call(self, operation: str, about: str, effect: Effect) -> Answer:
        """Make a call, as well as the case lets it go."""
        nth = self._made.get(operation, 0)
        self._made[operation] = nth + 1
        self.stage.step(self._switches.get((operation, nth)))
        if self.watched:
            self.watched()
        if self._outages and self._is_down(operation):
            self.broken += 1
            self._note(operation, about, "down")
            raise refused(operation, "ServiceUnavailable")
        number = self._faults.get((operation, nth))
        if number is None:
            note = self._note(operation, about, "")
            try:
                return effect()
            except ClientError as error:
                self.trace[note] = (*self.trace[note][:4], error.response["Error"]["Code"])
                raise
        kinds = FAULTS[operation]
        self.argument, which = divmod(number, len(kinds))
        fault = kinds[which]
        self.broken += 1
        self._note(operation, about, fault)
        return self._broken(operation, fault, effect)

    def _is_down(self, operation: str) -> bool:
        return any(
            operation in SERVICES[outage.service] and outage.begins * SECOND <= self.stage.clock < outage.ends * SECOND
            for outage in self._outages
        )

    def due(self) -> int | None:
        """Return when the next call that nobody waits for any more has its effect."""
        return min((at for at, _ in self._late), default=None)

    def perform(self) -> None:
        """Let it have its effect."""
        at = self.due()
        for late in [late for late in self._late if late[0] == at]:
            self._late.remove(late)
            self._note("late", "", "")
            with suppress(ClientError):
                late[1]()

    def calls(self) -> list[tuple[str, int]]:
        """Return every call made, each as its operation and which of these it was."""
        made: dict[str, int] = {}
        found = []
        for _, _, operation, _, _ in self.trace:
            found.append((operation, made.get(operation, 0)))
            made[operation] = made.get(operation, 0) + 1
        return [call for call in found if call[0] != "late"]

    def digest(self) -> int:
        """Return what tells this run from any other."""
        return int.from_bytes(blake2b(repr(self.trace).encode(), digest_size=8).digest(), "big")

    def _note(self, operation: str, about: str, fault: str) -> int:
        self.trace.append((self.stage.clock, actor_of(self.stage).name, operation, about, fault))
        return len(self.trace) - 1

    def _broken(self, operation: str, fault: str, effect: Effect) -> Answer:
        if fault in _UNDONE:
            self._fail_before(operation, fault)
            return effect()  # it was only late
        if fault in _DONE:
            answer = effect()
            return self._fail_after(operation, fault, effect, answer)
        if fault in _LATE:
            self._late.append((self.stage.clock + _LATER[self.argument % len(_LATER)] * SECOND, effect))
            if fault.startswith("crashed"):
                raise Crash
            self.stage.wait(_TIMED_OUT)
            raise ReadTimeoutError(endpoint_url="aws")
        if fault in _CODES:
            raise refused(operation, _CODES[fault][0])
        if fault == "garbled":
            if self.argument % 2:
                effect()
            return {}
        # The others are for whoever has the effect to see to.
        self.fault = fault
        try:
            return effect()
        finally:
            self.fault = ""

    def _fail_before(self, operation: str, fault: str) -> None:
        match fault:
            case "throttled" | "failed":
                raise refused(operation, _CODES[fault][self.argument % 2])
            case "timed out":
                self.stage.wait(_TIMED_OUT)
                raise ReadTimeoutError(endpoint_url="aws")
            case "refused":
                raise EndpointConnectionError(endpoint_url="aws")
            case "crashed":
                raise Crash
            case _:
                self._stall()

    def _fail_after(self, operation: str, fault: str, effect: Effect, answer: Answer) -> Answer:
        match fault:
            case "failed after all":
                raise refused(operation, _CODES[fault][self.argument % 2])
            case "timed out after all":
                self.stage.wait(_TIMED_OUT)
                raise ReadTimeoutError(endpoint_url="aws")
            case "lost":
                raise ConnectionClosedError(endpoint_url="aws")
            case "crashed after":
                raise Crash
            case "lost, repeated":
                return effect()  # botocore asks again by itself, and so answers for the second time
            case _:
                self._stall()
                return answer

    def _stall(self) -> None:
        self.stage.wait(_STALLS[self.argument % len(_STALLS)] * SECOND)


def actor_of(stage: Stage) -> Actor:
    """Return who is acting."""
    if stage.acting is None:
        raise RuntimeError("nobody is on the stage")
    return stage.acting
