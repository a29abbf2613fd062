"""Faults on the wire: which call has which fault, determined by a seed, and the reply that the wire carries."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from http import HTTPStatus

from campaigns.wire.http_server import Reply, Transmission

_ERRORS = ("throttled", "failed", "unavailable", "bad gateway", "denied", "forbidden")
"""AWS, or a proxy in front of it, answers with an error. The call has no effect."""
_NO_ANSWER = ("no answer", "reset", "closed", "connections forgotten")
"""There is no answer. The call has no effect."""
_NO_ANSWER_AFTER_EFFECT = (
    "no answer after effect",
    "reset after effect",
    "closed after effect",
    "no answer, effect later",
)
"""There is no answer. The call has its effect, before or after the caller stops waiting."""
_BROKEN_ANSWER = ("failed after effect", "truncated", "cut body", "length too long", "length too short")
"""The call has its effect, but the answer does not show it."""
_PROXY_ANSWERS = ("HTML", "JSON list", "deeply nested JSON", "empty object", "empty body")
"""A proxy answers with success. The call has no effect."""
_FAST = (
    "reset",
    "closed",
    "reset after effect",
    "closed after effect",
    "failed after effect",
    "truncated",
    "cut body",
)
"""Faults without a timeout; they are chosen more often than others."""
_ANY = (
    *(*_ERRORS, *_NO_ANSWER, *_NO_ANSWER_AFTER_EFFECT, *_BROKEN_ANSWER, *_PROXY_ANSWERS),
    *(*_FAST, *_ERRORS, *_PROXY_ANSWERS),
)
_SES = (*_ERRORS, *_NO_ANSWER, *_NO_ANSWER_AFTER_EFFECT, *_BROKEN_ANSWER, *_PROXY_ANSWERS, "rejected")

CLOSED_IN_PART = "closed in part"
"""Some parts of the call have their effect, and there is no answer."""
PARTIAL: Mapping[str, tuple[str, ...]] = {
    "batch_get_item": ("unprocessed",),
    "batch_execute_statement": (
        *("statements rejected", "contacts throttled", "history throttled", "short"),
        CLOSED_IN_PART,
    ),
    "put_events": ("not accepted",),
    "query": ("short",),
}
"""Faults of calls with several parts: the answer shows which parts have their effect. As in the simulation."""
REPORTED_IN_PART = frozenset(name for names in PARTIAL.values() for name in names if name != CLOSED_IN_PART)
FAULTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("put_item", "get_item", "update_item", "send_message"), _ANY),
    **{name: (*_ANY, *partial, *partial, *partial) for name, partial in PARTIAL.items()},
    "put_suppressed_destination": _SES,
    "delete_suppressed_destination": _SES,
    "get_account": _SES,
}
"""Faults of each operation. One that is listed several times is more likely."""

_CONSECUTIVE = (1, 1, 1, 1, 2, 4, 4, 8)
"""How many calls of an operation about the same address have a fault in a row. botocore makes at most four attempts."""
_PRECISION = 1 << 32
_FOCUS_FACTOR = 4
_ADDRESS = re.compile(rb"[a-z0-9-]+@example\.(?:com|org)", re.IGNORECASE)

_HTML = b"<html><body><h1>It works!</h1></body></html>"
_FORBIDDEN = "<html><body>Acc\u00e8s refus\u00e9</body></html>".encode("latin-1")
_THROTTLED = {
    "DynamoDB": (400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
    "SES": (429, "TooManyRequestsException"),
    "SQS": (400, "com.amazon.coral.availability#ThrottlingException"),
    "EventBridge": (400, "ThrottlingException"),
}
_TRANSMISSIONS = {
    "no answer": Transmission.NONE,
    "no answer after effect": Transmission.NONE,
    "no answer, effect later": Transmission.NONE,
    "reset": Transmission.RESET,
    "reset after effect": Transmission.RESET,
    "connections forgotten": Transmission.CONNECTIONS_FORGOTTEN,
    "closed": Transmission.CLOSED,
    "closed after effect": Transmission.CLOSED,
    CLOSED_IN_PART: Transmission.CLOSED,
    "truncated": Transmission.TRUNCATED,
    "length too long": Transmission.LENGTH_TOO_LONG,
    "length too short": Transmission.LENGTH_TOO_SHORT,
}
_PROXY_BODIES = {
    "HTML": _HTML,
    "JSON list": b"[]",
    "deeply nested JSON": b'{"a":' * 20_000,
    "empty object": b"{}",
    "empty body": b"",
}


@dataclass
class FaultPlan:
    """Determines the fault of each call from the seed, the operation, the address, and the number of such calls.

    Threads and processes make their calls in any order. The fault of a call does not depend on it.
    """

    seed: int
    intensity: float
    """Probability of a fault."""
    focus: str = ""
    """An operation with a probability four times as high."""
    forced: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Faults of the nth call of an operation, from 0."""
    active: bool = True
    _calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    _consecutive: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def next_fault(self, operation: str, request: bytes) -> tuple[str, int]:
        """Return the fault of this call, empty if it has none, and a random number for its details."""
        found = _ADDRESS.search(request)
        call = operation, found[0].decode().lower() if found else ""
        number = self._random_number(*call)
        nth = self._calls[operation, "any"]
        self._calls[operation, "any"] += 1
        if (operation, nth) in self.forced:
            return self.forced[operation, nth], number
        consecutive = self._consecutive.setdefault(call, [])
        if not self.active:
            return "", number
        probability = self.intensity * (_FOCUS_FACTOR if operation == self.focus else 1)
        if not consecutive and number % _PRECISION < probability * _PRECISION:
            faults = FAULTS[operation]
            fault = faults[(number >> 32) % len(faults)]
            consecutive += [fault] * _CONSECUTIVE[(number >> 56) % len(_CONSECUTIVE)]
        return consecutive.pop() if consecutive else "", number >> 40

    def _random_number(self, operation: str, address: str) -> int:
        nth = self._calls[operation, address]
        self._calls[operation, address] += 1
        call = f"{self.seed} {operation} {address} {nth}"
        return int.from_bytes(blake2b(call.encode(), digest_size=8).digest(), "big")


def error_reply(code: str, status: int = 400) -> Reply:
    """Return AWS's error reply with this code, as its JSON protocols and the REST API of SES carry it.

    https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html#operation-error-serialization
    """
    body = json.dumps({"__type": code, "message": "made up"}).encode()
    name = code.rpartition("#")[2]
    return Reply(status, body, {"Content-Type": "application/x-amz-json-1.0", "x-amzn-ErrorType": name})


def _throttled(service: str) -> Reply:
    status, code = _THROTTLED[service]
    return error_reply(code, status)


_ERROR_REPLIES: Mapping[str, Callable[[str], Reply]] = {
    "throttled": _throttled,
    "failed": lambda _: error_reply("InternalServerError", 500),
    "unavailable": lambda _: Reply(HTTPStatus.SERVICE_UNAVAILABLE),
    "bad gateway": lambda _: Reply(HTTPStatus.BAD_GATEWAY, _HTML, {"Content-Type": "text/html"}),
    "forbidden": lambda _: Reply(HTTPStatus.FORBIDDEN, _FORBIDDEN, {"Content-Type": "text/html"}),
    "denied": lambda service: error_reply("AccessDeniedException", 403 if service == "SES" else 400),
    "rejected": lambda _: error_reply("BadRequestException"),
}


def faulty_reply(fault: str, service: str, effect: Callable[[], Reply]) -> Reply:
    """Return the reply to a call with this fault. `effect` applies the call, unless the fault prevents it."""
    if fault in _ERROR_REPLIES:
        return _ERROR_REPLIES[fault](service)
    if fault in _PROXY_BODIES:
        return Reply(200, _PROXY_BODIES[fault], {"Content-Type": "text/html"}, from_proxy=True)
    if fault in _NO_ANSWER:
        return Reply(transmission=_TRANSMISSIONS[fault])
    reply = effect()
    if fault == "failed after effect":
        return error_reply("InternalServerError", 500)
    if fault == "cut body":
        return Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers)
    return reply.sent_as(_TRANSMISSIONS[fault])
