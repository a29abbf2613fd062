"""ministack with what it lacks around it: an ASGI application that answers as AWS does."""

import asyncio
import json
import threading
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from localaws.served.control_api import PREFIX, Control
from localaws.served.event_publishing import Outbox, Publication
from localaws.served.http_requests import Answer, Message, Receive, Request, Send, Sent, body_of, head, sends
from localaws.served.injected_faults import Faults, refusal
from localaws.served.mailboxes import Mail, address_of, as_event, as_notification, happens_to
from localaws.served.ministack_internals import Emulator, Scope
from localaws.ses_list.suppression_list import AccountSuppressionList, SuppressionListApi, SuppressionReason

_DENIED = 403
_IMPORTS_TAKE = timedelta(seconds=2)
_NOTICE = "Successfully validated SNS topic for Amazon SES event publishing."
_EVENT_SUBJECT = "Amazon SES Email Event Notification"
# MatchingEventTypes by eventType, where upper case does not do.
_MATCHING = {"Rendering Failure": "RENDERING_FAILURE", "DeliveryDelay": "DELIVERY_DELAY"}


class Wrapper:
    """The application. It keeps a suppression list for each account and Region."""

    def __init__(self, emulator: Emulator) -> None:
        """Wrap `emulator`."""
        self._emulator = emulator
        self._sending = threading.Lock()
        self.faults = Faults(emulator.function_of)
        self.outbox = Outbox(emulator.publish)
        self.sent = 0
        self._sandbox = False
        self.lists: dict[Scope, AccountSuppressionList] = defaultdict(
            lambda: AccountSuppressionList(
                _now, sandbox=self._sandbox, read_object=emulator.read_object, imports_take=_IMPORTS_TAKE
            )
        )
        self._apis: dict[Scope, SuppressionListApi] = {}
        self._control = Control(self, emulator)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._emulator.app(scope, receive, send)
            return
        # Loopback stands in for TLS, which the policies of topics and queues insist on.
        scope["scheme"] = "https"
        request = head(scope)
        if request.path.startswith(PREFIX):
            await _send(send, self._control.answer(request, await body_of(receive)))
            return
        if fault := self.faults.meeting(request):
            await asyncio.sleep(fault.delay)
            if fault.status:
                await _send(send, refusal(fault))
                return
        if request.service == "ses":
            await self._answer_for_ses(scope, request, receive, send)
        else:
            await self._emulator.app(scope, receive, send)

    def announce_destination(self, configuration_set: str, topic: str) -> None:
        """Publish the notice SES sends to a topic that it has just been told to publish events to."""
        account, region = self._emulator.scope()
        arn = f"arn:aws:ses:{region}:{account}:configuration-set/{configuration_set}"
        self.outbox.add([Publication(topic, _NOTICE, "", arn)])

    def move(self, *, sandbox: bool) -> None:
        """Move the account into the SES sandbox or out of it."""
        self._sandbox = sandbox
        for one in self.lists.values():
            one.sandbox = sandbox

    async def _answer_for_ses(self, scope: Message, request: Request, receive: Receive, send: Send) -> None:
        """Let the emulator authorise and answer first, then put right what it cannot know."""
        body = await body_of(receive)
        request = Request(request.method, request.path, request.query, request.headers, body)
        answer = await self._ask(scope, body)
        if answer.status != _DENIED:
            listed = self._api().respond(request.method, request.path, request.query, body)
            if listed is not None:
                answer = Answer(listed.status, listed.headers, listed.body)
            elif (request.method, request.path) == ("POST", "/v2/email/account/details"):
                self.move(sandbox=json.loads(body).get("ProductionAccessEnabled") is False)
            else:
                answer = await self._follow_sends(request, answer)
        await _send(send, answer)

    async def _follow_sends(self, request: Request, answer: Answer) -> Answer:
        for sent in sends(request, answer):
            if sent.configuration_set and not self._emulator.knows_configuration_set(sent.configuration_set):
                text = f"Configuration set <{sent.configuration_set}> does not exist."
                headers = {"content-type": "application/json", "x-amzn-errortype": "NotFoundException"}
                return Answer(404, headers, json.dumps({"message": text}).encode())
            await asyncio.to_thread(self._publish_feedback, sent)
        return answer

    def _publish_feedback(self, sent: Sent) -> None:
        with self._sending:
            self.sent += 1
            identity, topics = self._emulator.identity(sent.source)
            mail = _mail(sent, identity, self._emulator.scope())
            listed = self._listed(mail)
            publications: list[Publication] = []
            for feedback in happens_to(mail, listed):
                publications += self._to_destinations(mail, feedback.kind, as_event(mail, feedback))
                notification, topic = as_notification(mail, feedback), topics.get(feedback.kind)
                if notification and topic:
                    arn = f"arn:aws:ses:{mail.region}:{mail.account}:identity/{identity}"
                    publications.append(Publication(topic, notification, "", arn))
                if feedback.permanent or (feedback.kind == "Complaint" and feedback.detail["complaintSubType"] is None):
                    self._list_by_itself(mail, feedback.recipients, feedback.kind, feedback.detail)
            self.outbox.add(publications)

    def _to_destinations(self, mail: Mail, kind: str, message: str) -> list[Publication]:
        matching = _MATCHING.get(kind, kind.upper())
        arn = f"arn:aws:ses:{mail.region}:{mail.account}:configuration-set/{mail.configuration_set}"
        return [
            Publication(destination.topic, message, _EVENT_SUBJECT, arn, destination.role)
            for destination in self._emulator.destinations(mail.configuration_set)
            if matching in destination.kinds
        ]

    def _listed(self, mail: Mail) -> dict[str, SuppressionReason]:
        reasons = self._emulator.suppressed_reasons(mail.configuration_set)
        held = {
            address: self._list().blocks(address, suppressed_reasons=reasons)
            for address in map(address_of, mail.recipients)
        }
        return {address: reason for address, reason in held.items() if reason}

    def _list_by_itself(self, mail: Mail, recipients: tuple[str, ...], kind: str, detail: Any) -> None:  # noqa: ANN401
        reason = SuppressionReason(kind.upper())
        for recipient in recipients:
            self._list().add_from_feedback(
                recipient, reason, message_id=mail.message_id, feedback_id=detail["feedbackId"]
            )

    def _list(self) -> AccountSuppressionList:
        return self.lists[self._emulator.scope()]

    def _api(self) -> SuppressionListApi:
        return self._apis.setdefault(self._emulator.scope(), SuppressionListApi(self._list()))

    async def _ask(self, scope: Message, body: bytes) -> Answer:
        """Have the emulator answer a request whose body was read already."""
        started: dict[str, Any] = {}
        parts: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            parts.append(message.get("body", b""))

        await self._emulator.app(scope, receive, send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in started["headers"]}
        return Answer(started["status"], headers, b"".join(parts))


def _mail(sent: Sent, identity: str, scope: Scope) -> Mail:
    return Mail(
        message_id=sent.message_id,
        source=sent.source,
        recipients=sent.recipients,
        sent_at=_now(),
        account=scope.account,
        region=scope.region,
        identity=identity,
        subject=sent.subject,
        configuration_set=sent.configuration_set,
        operation=sent.operation,
        tags=sent.tags,
    )


async def _send(send: Send, answer: Answer) -> None:
    kept = {name.lower(): value for name, value in answer.headers.items() if name.lower() != "content-length"}
    headers = [(name.encode(), value.encode()) for name, value in kept.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _now() -> datetime:
    return datetime.now(UTC)
