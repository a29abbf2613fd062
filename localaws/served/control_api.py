"""The local AWS's own endpoint, beside AWS's: what is going on, and what should go wrong.

- `GET  /_feedbackctl/state`: what it is and what it counted
- `PUT  /_feedbackctl/faults`: the faults from now on, as `faults.Fault` describes them; `[]` for none
- `PUT  /_feedbackctl/publishing`: `{"held": true, "copies": 2, "order": "kept" | "reversed" | "shuffled"}`
- `GET  /_feedbackctl/suppression-list`: the whole list, without waiting for SES's one call a second
- `PUT  /_feedbackctl/sandbox`: whether the account is in the SES sandbox
- `GET  /_feedbackctl/permissions`: what roles were asked for: role, action, resource, and whether it was allowed
- `DELETE /_feedbackctl/permissions`: forget it
- `POST /_feedbackctl/schedules`: every schedule fires now
"""

import json
import os
from typing import TYPE_CHECKING, Any

from localaws.served.event_publishing import ORDERS
from localaws.served.http_requests import Answer, Request
from localaws.served.injected_faults import FaultError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localaws.served.asgi_wrapper import Wrapper
    from localaws.served.ministack_internals import Emulator

PREFIX = "/_feedbackctl/"


class Control:
    """Answers what is asked of the local AWS itself."""

    def __init__(self, wrapper: "Wrapper", emulator: "Emulator") -> None:
        """Control `wrapper`."""
        self._wrapper = wrapper
        self._emulator = emulator
        self._operations: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "state"): self._state,
            ("PUT", "faults"): self._faults,
            ("PUT", "publishing"): self._publishing,
            ("GET", "suppression-list"): self._suppression_list,
            ("GET", "permissions"): lambda _: sorted(emulator.asked),
            ("DELETE", "permissions"): lambda _: emulator.asked.clear(),
            ("PUT", "sandbox"): self._sandbox,
            ("POST", "schedules"): self._schedules,
        }

    def answer(self, request: Request, body: bytes) -> Answer:
        """Answer a request to the endpoint."""
        operation = self._operations.get((request.method, request.path.removeprefix(PREFIX)))
        if operation is None:
            return _json(404, {"message": f"There is no {request.method} {request.path}."})
        try:
            return _json(200, operation(json.loads(body or b"null")))
        except (FaultError, KeyError, TypeError, ValueError) as error:
            return _json(400, {"message": str(error)})

    def _state(self, _: object) -> dict[str, Any]:
        wrapper = self._wrapper
        return {
            "pid": os.getpid(),
            "mails": wrapper.sent,
            "held": len(wrapper.outbox.waiting),
            "faults_met": wrapper.faults.met,
            "functions": self._emulator.workers(),
            "suppressed": sum(len(one.entries()) for one in wrapper.lists.values()),
        }

    def _faults(self, described: list[dict[str, Any]]) -> dict[str, Any]:
        self._wrapper.faults.replace(described)
        return {}

    def _publishing(self, wanted: dict[str, Any]) -> dict[str, Any]:
        outbox = self._wrapper.outbox
        if wanted.get("order", "kept") not in ORDERS:
            raise ValueError(f"order is one of {', '.join(ORDERS)}")
        outbox.copies = int(wanted.get("copies", 1))
        outbox.order = wanted.get("order", "kept")
        outbox.held = bool(wanted.get("held", False))
        if not outbox.held:
            outbox.release()
        return {}

    def _suppression_list(self, _: object) -> list[dict[str, Any]]:
        return [
            {
                "address": entry.email_address,
                "reason": entry.reason.value,
                "by_ses": entry.attributes is not None,
                "since": entry.last_update_time.isoformat(),
            }
            for one in self._wrapper.lists.values()
            for entry in one.entries()
        ]

    def _sandbox(self, wanted: bool) -> dict[str, Any]:  # noqa: FBT001 (it is the whole document)
        self._wrapper.move(sandbox=wanted)
        return {}

    def _schedules(self, _: object) -> dict[str, Any]:
        self._emulator.fire_schedules()
        return {}


def _json(status: int, document: object) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(document).encode())
