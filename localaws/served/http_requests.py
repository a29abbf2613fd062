"""Requests as a web server hands them over, whose they are, and what a send asks for."""

import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import Any, NamedTuple
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_SEND = "/v2/email/outbound-emails"
_SEND_BULK = "/v2/email/outbound-bulk-emails"
_SENDS_OF_V1 = ("SendEmail", "SendRawEmail", "SendTemplatedEmail")


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. `path` is percent-encoded, as it came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def caller(self) -> str:
        """The access key it is signed with, or nothing."""
        return self._signed("key")

    @property
    def service(self) -> str:
        """The AWS service it is signed for, or nothing."""
        return self._signed("service")

    @property
    def operation(self) -> str:
        """The operation's name where the protocol says it outside the body, else method and path."""
        target = self.headers.get("x-amz-target", "")
        return target.rpartition(".")[2] if target else f"{self.method} {self.path}"

    def _signed(self, part: str) -> str:
        found = _CREDENTIAL.search(self.headers.get("authorization", ""))
        return found[part] if found else ""


class Sent(NamedTuple):
    """A mail that SES was asked to send."""

    message_id: str
    operation: str
    source: str
    recipients: tuple[str, ...]
    subject: str
    configuration_set: str
    tags: dict[str, str]


def head(scope: Message) -> Request:
    """Return a request without its body."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    path = scope.get("raw_path") or scope["path"].encode()
    return Request(scope["method"], path.decode("latin-1"), scope["query_string"].decode("latin-1"), headers)


async def body_of(receive: Receive) -> bytes:
    """Read a request's body."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def sends(request: Request, answer: Answer) -> list[Sent]:
    """Return the mails that this request and its answer sent: none, when it is another request or was refused."""
    if answer.status != 200 or request.method != "POST":  # noqa: PLR2004 (OK)
        return []
    if request.path == _SEND:
        return [_sent_by_v2(json.loads(request.body), json.loads(answer.body)["MessageId"])]
    if request.path == _SEND_BULK:
        return _sent_in_bulk(json.loads(request.body), json.loads(answer.body)["BulkEmailEntryResults"])
    if request.path == "/" and request.service == "ses":
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        found = re.search(rb"<MessageId>([^<]+)</MessageId>", answer.body)
        if found and form.get("Action") in _SENDS_OF_V1:
            return [_sent_by_v1(form, found[1].decode())]
    return []


def _sent_by_v1(form: Mapping[str, str], message_id: str) -> Sent:
    sent = Sent(
        message_id,
        form["Action"],
        form.get("Source", ""),
        (*_members(form, "Destinations"), *_all_destinations(form)),
        form.get("Message.Subject.Data", ""),
        form.get("ConfigurationSetName", ""),
        dict(zip(_members(form, "Tags", ".Name"), _members(form, "Tags", ".Value"), strict=False)),
    )
    return _completed(sent, form["RawMessage.Data"]) if "RawMessage.Data" in form else sent


def _all_destinations(form: Mapping[str, str]) -> tuple[str, ...]:
    kinds = ("ToAddresses", "CcAddresses", "BccAddresses")
    return tuple(one for kind in kinds for one in _members(form, f"Destination.{kind}"))


def _members(form: Mapping[str, str], name: str, part: str = "") -> tuple[str, ...]:
    found: list[str] = []
    while (value := form.get(f"{name}.member.{len(found) + 1}{part}")) is not None:
        found.append(value)
    return tuple(found)


def _sent_by_v2(document: Mapping[str, Any], message_id: str) -> Sent:
    content = document.get("Content", {})
    sent = Sent(
        message_id,
        "SendEmail",
        document.get("FromEmailAddress", ""),
        _destination(document.get("Destination", {})),
        content.get("Simple", {}).get("Subject", {}).get("Data", ""),
        document.get("ConfigurationSetName", ""),
        _tags(document.get("EmailTags")),
    )
    return _completed(sent, content["Raw"]["Data"]) if "Raw" in content else sent


def _sent_in_bulk(document: Mapping[str, Any], results: list[Mapping[str, Any]]) -> list[Sent]:
    common = document.get("FromEmailAddress", ""), document.get("ConfigurationSetName", "")
    return [
        Sent(
            result["MessageId"],
            "SendBulkEmail",
            common[0],
            _destination(entry.get("Destination", {})),
            "",
            common[1],
            {**_tags(document.get("DefaultEmailTags")), **_tags(entry.get("ReplacementTags"))},
        )
        for entry, result in zip(document.get("BulkEmailEntries", []), results, strict=False)
        if "MessageId" in result
    ]


def _destination(destination: Mapping[str, list[str]]) -> tuple[str, ...]:
    kinds = ("ToAddresses", "CcAddresses", "BccAddresses")
    return tuple(one for kind in kinds for one in destination.get(kind) or [])


def _tags(tags: list[Mapping[str, str]] | None) -> dict[str, str]:
    return {tag["Name"]: tag["Value"] for tag in tags or []}


def _completed(sent: Sent, data: str) -> Sent:
    """Take from a raw message's headers what the call itself left out."""
    parsed = message_from_bytes(base64.b64decode(data), policy=policy.default)
    named = tuple(
        address.addr_spec
        for name in ("To", "Cc", "Bcc")
        for header in parsed.get_all(name, [])
        for address in header.addresses
    )
    return sent._replace(
        source=sent.source or str(parsed.get("From", "")),
        recipients=sent.recipients or named,
        subject=str(parsed.get("Subject", "")),
        configuration_set=sent.configuration_set or str(parsed.get("X-SES-CONFIGURATION-SET", "")).strip(),
    )
