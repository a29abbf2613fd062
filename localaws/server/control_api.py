"""The server's own endpoint, beside AWS's: its state, and the faults to inject.

- `GET  /_feedbackctl/state`: process id and counters
- `PUT  /_feedbackctl/faults`: replace the active faults (`injected_faults.Fault` has the keys); `[]` removes them
- `PUT  /_feedbackctl/publishing`: `{"held": true, "copies": 2, "order": "kept" | "reversed" | "shuffled"}`
- `GET  /_feedbackctl/suppression-list`: the whole list, without the quota of one call a second
- `PUT  /_feedbackctl/sandbox`: `true` puts the account into the SES sandbox
- `PUT  /_feedbackctl/ses-settings`: what only SES itself changes (`ses_settings.AccountSettings.change`)
- `GET  /_feedbackctl/permissions`: the requests of roles: role, action, resource, and whether it was allowed
- `DELETE /_feedbackctl/permissions`: delete this record
- `POST /_feedbackctl/schedules`: run every schedule now
"""

import json
import os
from typing import TYPE_CHECKING, Any

from localaws.server.event_publishing import ORDERS
from localaws.server.http_messages import Request, Response
from localaws.server.injected_faults import FaultError, Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from localaws.server.ministack_internals import Emulator
    from localaws.server.ses_service import SesService

PREFIX = "/_feedbackctl/"


class ControlApi:
    """Responds to requests about the server itself."""

    def __init__(self, emulator: "Emulator", ses: "SesService", faults: Faults) -> None:
        """Control these parts of the server."""
        self._emulator = emulator
        self._ses = ses
        self._faults = faults
        self._operations: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "state"): self._get_state,
            ("PUT", "faults"): self._put_faults,
            ("PUT", "publishing"): self._put_publishing,
            ("GET", "suppression-list"): self._get_suppression_list,
            ("GET", "permissions"): lambda _: sorted(emulator.policies.decisions),
            ("DELETE", "permissions"): lambda _: emulator.policies.decisions.clear(),
            ("PUT", "sandbox"): self._put_sandbox,
            ("PUT", "ses-settings"): self._put_ses_settings,
            ("POST", "schedules"): self._run_schedules,
        }

    def respond(self, request: Request, body: bytes) -> Response:
        """Return the response to a request."""
        operation = self._operations.get((request.method, request.path.removeprefix(PREFIX)))
        if operation is None:
            return _json_response(404, {"message": f"There is no {request.method} {request.path}."})
        try:
            return _json_response(200, operation(json.loads(body or b"null")))
        except (FaultError, KeyError, TypeError, ValueError) as error:
            return _json_response(400, {"message": str(error)})

    def _get_state(self, _: object) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "emails": self._ses.sent,
            "held": len(self._ses.outbox.pending),
            "faults_met": self._faults.met,
            "functions": self._emulator.function_processes(),
            "suppressed": sum(len(each.entries()) for each in self._ses.lists.values()),
        }

    def _put_faults(self, descriptions: list[dict[str, Any]]) -> dict[str, Any]:
        self._faults.replace(descriptions)
        return {}

    def _put_publishing(self, options: dict[str, Any]) -> dict[str, Any]:
        outbox = self._ses.outbox
        if options.get("order", "kept") not in ORDERS:
            raise ValueError(f"order is one of {', '.join(ORDERS)}")
        outbox.copies = int(options.get("copies", 1))
        outbox.order = options.get("order", "kept")
        outbox.is_held = bool(options.get("held", False))
        if not outbox.is_held:
            outbox.release()
        return {}

    def _get_suppression_list(self, _: object) -> list[dict[str, Any]]:
        return [
            {
                "address": entry.email_address,
                "reason": entry.reason.value,
                "by_ses": entry.attributes is not None,
                "since": entry.last_update_time.isoformat(),
            }
            for suppression_list in self._ses.lists.values()
            for entry in suppression_list.entries()
        ]

    def _put_sandbox(self, sandbox: bool) -> dict[str, Any]:  # noqa: FBT001 (the whole document is a boolean)
        self._ses.set_sandbox(sandbox=sandbox)
        return {}

    def _put_ses_settings(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Change the settings of SES in each account and Region where there are some."""
        for settings in self._ses.settings.values():
            settings.change(changes)
        return {}

    def _run_schedules(self, _: object) -> dict[str, Any]:
        self._emulator.fire_schedules()
        return {}


def _json_response(status: int, document: object) -> Response:
    return Response(status, {"content-type": "application/json"}, json.dumps(document).encode())
