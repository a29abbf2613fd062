"""Faults on purpose: error responses and delays, for a number of calls or seconds."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localaws.server.http_messages import Request, Response

FUNCTIONS, EVERYONE = "functions", "everyone"


class FaultError(Exception):
    """A fault has an invalid description. The message names the mistake."""


@dataclass(slots=True)
class Fault:
    """One fault. It ends after `calls` calls or at the time `until`, whichever is first; None means no such end.

    `callers` is `functions`, `everyone`, or a part of the names of the functions that meet the fault. With the status 0
    the call is delayed and then succeeds.
    """

    service: str
    operation: str = "*"
    status: int = 500
    code: str = "InternalServerError"
    callers: str = FUNCTIONS
    calls: int | None = None
    until: float | None = None
    delay: float = 0.0

    def matches(self, request: Request, caller: str, now: float) -> bool:
        """Return True if the request meets this fault. `caller` is the function's name, empty for other callers."""
        return (
            (self.calls is None or self.calls > 0)
            and (self.until is None or now < self.until)
            and self.service == request.service
            and self.operation in {"*", request.operation}
            and (self.callers == EVERYONE or (caller != "" and (self.callers == FUNCTIONS or self.callers in caller)))
        )


class Faults:
    """The active faults. `met` is the number of calls that met one."""

    def __init__(self, find_function: Callable[[str], str], clock: Callable[[], float] = time.monotonic) -> None:
        """Start without faults. `find_function` returns the function with an access key, or an empty string."""
        self._find_function = find_function
        self._clock = clock
        self._faults: list[Fault] = []
        self.met = 0

    def replace(self, descriptions: Sequence[Mapping[str, Any]]) -> None:
        """Replace the active faults. The keys of a description are the fields of Fault, and `seconds`.

        Raises:
            FaultError: a description has no service, or an unknown key.

        """
        faults = []
        for description in descriptions:
            fields = dict(description)
            seconds = fields.pop("seconds", None)
            until = None if seconds is None else self._clock() + float(seconds)
            try:
                faults.append(Fault(**fields, until=until))
            except TypeError as error:
                raise FaultError(str(error).replace("Fault.__init__()", "A fault")) from None
        self._faults = faults

    def take_matching(self, request: Request) -> Fault | None:
        """Return the fault that this request meets and count the call, or None if it meets none."""
        now, caller = self._clock(), self._find_function(request.access_key)
        for fault in self._faults:
            if fault.matches(request, caller, now):
                if fault.calls is not None:
                    fault.calls -= 1
                self.met += 1
                return fault
        return None


def to_response(fault: Fault) -> Response:
    """Return the error response. Protocols differ in the place of the error code, so header and body have it."""
    body = json.dumps({"__type": fault.code, "message": "An injected fault (feedbackctl local)."}).encode()
    return Response(fault.status, {"content-type": "application/x-amz-json-1.0", "x-amzn-errortype": fault.code}, body)
