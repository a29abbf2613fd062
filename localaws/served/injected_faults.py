"""Faults on purpose: what AWS would answer on a bad day, for so many calls or so many seconds."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localaws.served.http_requests import Answer, Request

FUNCTIONS, EVERYONE = "functions", "everyone"


class FaultError(Exception):
    """A fault was described wrongly. The message says how."""


@dataclass(slots=True)
class Fault:
    """One fault. It ends after `calls` calls or at `until`, whichever comes first; None: it does not end by that.

    `callers` are `functions`, `everyone`, or those functions that have it in their names.
    """

    service: str
    operation: str = "*"
    status: int = 500
    code: str = "InternalServerError"
    callers: str = FUNCTIONS
    calls: int | None = None
    until: float | None = None
    delay: float = 0.0

    def meets(self, request: Request, caller: str, now: float) -> bool:
        """Say whether it is this request's turn to fail; `caller` is the function's name, empty for other callers."""
        return (
            (self.calls is None or self.calls > 0)
            and (self.until is None or now < self.until)
            and self.service == request.service
            and self.operation in {"*", request.operation}
            and (self.callers == EVERYONE or (caller != "" and (self.callers == FUNCTIONS or self.callers in caller)))
        )


class Faults:
    """The faults in force."""

    def __init__(self, function_of: Callable[[str], str], clock: Callable[[], float] = time.monotonic) -> None:
        """Count seconds by `clock`; `function_of` tells the function that has an access key."""
        self._function_of = function_of
        self._clock = clock
        self._faults: list[Fault] = []
        self.met = 0

    def replace(self, described: Sequence[Mapping[str, Any]]) -> None:
        """Put these faults in the place of those there were; their keys are a Fault's, and `seconds`.

        Raises:
            FaultError: a fault names no service, or says what none has.

        """
        faults = []
        for one in described:
            given = dict(one)
            seconds = given.pop("seconds", None)
            until = None if seconds is None else self._clock() + float(seconds)
            try:
                faults.append(Fault(**given, until=until))
            except TypeError as error:
                raise FaultError(str(error).replace("Fault.__init__()", "A fault")) from None
        self._faults = faults

    def meeting(self, request: Request) -> Fault | None:
        """Return the fault this request meets, and count it."""
        now, caller = self._clock(), self._function_of(request.caller)
        for fault in self._faults:
            if fault.meets(request, caller, now):
                if fault.calls is not None:
                    fault.calls -= 1
                self.met += 1
                return fault
        return None


def refusal(fault: Fault) -> Answer:
    """Return what the client gets. JSON with the code in both places: protocols differ in where they look."""
    body = json.dumps({"__type": fault.code, "message": "A fault made on purpose (feedbackctl local)."}).encode()
    return Answer(fault.status, {"content-type": "application/x-amz-json-1.0", "x-amzn-errortype": fault.code}, body)
