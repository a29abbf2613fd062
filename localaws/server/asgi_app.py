"""The web application: it routes each request to the control API, an injected fault, SES, or ministack."""

import asyncio
import json
from typing import TYPE_CHECKING

from localaws.server.control_api import PREFIX, ControlApi
from localaws.server.http_messages import (
    Message,
    Receive,
    Request,
    Response,
    Send,
    call_app,
    read_body,
    read_head,
    send_response,
    without_cors,
)
from localaws.server.injected_faults import Faults, to_response
from localaws.server.request_guard import RequestGuard
from localaws.server.send_requests import find_sent_emails
from localaws.server.ses_service import SesService

if TYPE_CHECKING:
    from localaws.server.ministack_internals import Emulator

_DENIED = 403


class AsgiApp:
    """The application around ministack."""

    def __init__(self, emulator: "Emulator", guard: RequestGuard) -> None:
        """Pass the requests that `guard` admits to `emulator`."""
        self._emulator = emulator
        self._guard = guard
        self.ses = SesService(emulator)
        self._faults = Faults(emulator.find_function)
        self._control = ControlApi(emulator, self.ses, self._faults)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Respond to a request, unless the guard refuses it."""
        if scope["type"] == "lifespan":
            await self._emulator.app(scope, receive, send)
        elif scope["type"] != "http":
            # The stack uses no WebSocket. Before it is accepted, this is the status 403:
            # https://asgi.readthedocs.io/en/latest/specs/www.html#close-send-event
            await send({"type": "websocket.close"})
        elif objection := self._guard.find_objection(scope):
            body = json.dumps({"__type": "AccessDeniedException", "message": objection}).encode()
            await send_response(send, Response(_DENIED, {"content-type": "application/json"}, body))
        else:
            await self._respond(scope, receive, without_cors(send))

    async def _respond(self, scope: Message, receive: Receive, send: Send) -> None:
        # The loopback interface counts as TLS, which the policies of topics and queues require.
        scope["scheme"] = "https"
        request = read_head(scope)
        if request.path.startswith(PREFIX):
            await send_response(send, self._control.respond(request, await read_body(receive)))
            return
        if fault := self._faults.take_matching(request):
            await asyncio.sleep(fault.delay)
            if fault.status:
                await send_response(send, to_response(fault))
                return
        if request.service == "ses":
            await self._respond_as_ses(scope, request, receive, send)
        else:
            await self._emulator.app(scope, receive, send)

    async def _respond_as_ses(self, scope: Message, request: Request, receive: Receive, send: Send) -> None:
        """Let ministack authorize and respond, then replace the response where ministack lacks the operation."""
        body = await read_body(receive)
        request = Request(request.method, request.path, request.query, request.headers, body)
        response = await call_app(self._emulator.app, scope, body)
        if response.status != _DENIED:
            listed = self.ses.list_api().respond(request.method, request.path, request.query, body)
            set_up = self.ses.settings_api().respond(request, response)
            if listed is not None:
                response = self.ses.complete_account(request, Response(listed.status, listed.headers, listed.body))
            elif set_up is not None:
                response = set_up
            elif (request.method, request.path) == ("POST", "/v2/email/account/details"):
                # AWS's decision takes a day. Here production access is granted at once.
                self.ses.set_sandbox(sandbox=json.loads(body).get("ProductionAccessEnabled") is False)
                response = Response(200, {"content-type": "application/json"}, b"{}")
            else:
                response = await self._follow_sends(request, response)
        await send_response(send, response)

    async def _follow_sends(self, request: Request, response: Response) -> Response:
        """Publish the feedback on the emails that a request sent. SES refuses an unknown configuration set."""
        for email in find_sent_emails(request, response):
            name = email.configuration_set
            if name and not self._emulator.has_configuration_set(name):
                message = json.dumps({"message": f"Configuration set <{name}> does not exist."}).encode()
                headers = {"content-type": "application/json", "x-amzn-errortype": "NotFoundException"}
                return Response(404, headers, message)
            await asyncio.to_thread(self.ses.publish_feedback, email)
        return response
