"""What goes wrong with which call, decided by a seed, and what the wire carries then."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from http import HTTPStatus

from campaigns.wire.http_server import Manner, Reply

_REFUSED = ("throttled", "failed", "unavailable", "bad gateway", "denied", "forbidden")
"""AWS, or a proxy before it, says no: the call has no effect."""
_SILENT = ("never answered", "reset", "closed", "forgotten")
"""No answer: the call has no effect."""
_SILENT_AFTER = ("never answered after", "reset after", "closed after", "never answered, done later")
"""No answer, and the call has its effect, sooner or later."""
_BROKEN = ("failed after", "truncated", "cut", "published too long", "published too short")
"""The call has its effect, and the answer does not say so."""
_MADE_UP = ("garbage", "no object", "too deep", "empty object", "empty")
"""A server other than AWS answers with success: the call has no effect."""
_QUICK = ("reset", "closed", "reset after", "closed after", "failed after", "truncated", "cut")
"""Those that cost no time here are soft_bounced more often than those that do."""
_ANY = (*_REFUSED, *_SILENT, *_SILENT_AFTER, *_BROKEN, *_MADE_UP, *_QUICK, *_REFUSED, *_MADE_UP)
_SES = (*_REFUSED, *_SILENT, *_SILENT_AFTER, *_BROKEN, *_MADE_UP, "rejected")

IN_PART = "closed in part"
"""Some things are done, and no answer says which."""
PARTIAL: Mapping[str, tuple[str, ...]] = {
    "batch_get_item": ("unprocessed",),
    "batch_execute_statement": ("statements rejected", "contacts throttled", "history throttled", "short", IN_PART),
    "put_events": ("not accepted",),
    "query": ("short",),
}
"""What only a call of many things can suffer: AWS does some of them, and says so. The names are the simulator's."""
TOLD_IN_PART = frozenset(name for names in PARTIAL.values() for name in names if name != IN_PART)
FAULTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("put_item", "get_item", "update_item", "send_message"), _ANY),
    **{name: (*_ANY, *partial, *partial, *partial) for name, partial in PARTIAL.items()},
    "put_suppressed_destination": _SES,
    "delete_suppressed_destination": _SES,
}
"""What each call can suffer."""

_RUNS = (1, 1, 1, 1, 2, 4, 4, 8)
"""How many calls of a kind about the same thing a fault soft_bounce_days in a row: botocore makes up to four by itself."""
_PRECISION = 1 << 32
_FOCUSED = 4
_ABOUT = re.compile(rb"[a-z0-9-]+@example\.(?:com|org)", re.IGNORECASE)

_HTML = b"<html><body><h1>It works!</h1></body></html>"
_FORBIDDEN = "<html><body>Accès refusé</body></html>".encode("latin-1")
_THROTTLED = {
    "DynamoDB": (400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
    "SES": (429, "TooManyRequestsException"),
    "SQS": (400, "com.amazon.coral.availability#ThrottlingException"),
    "EventBridge": (400, "ThrottlingException"),
}
_MANNERS = {
    "never answered": Manner.NEVER,
    "never answered after": Manner.NEVER,
    "never answered, done later": Manner.NEVER,
    "reset": Manner.RESET,
    "reset after": Manner.RESET,
    "forgotten": Manner.FORGOTTEN,
    "closed": Manner.CLOSED,
    "closed after": Manner.CLOSED,
    IN_PART: Manner.CLOSED,
    "truncated": Manner.TRUNCATED,
    "published too long": Manner.TOO_LONG,
    "published too short": Manner.TOO_SHORT,
}
_MADE_UP_BODIES = {
    "garbage": _HTML,
    "no object": b"[]",
    "too deep": b'{"a":' * 20_000,
    "empty object": b"{}",
    "empty": b"",
}


@dataclass
class Plan:
    """Which call suffers what. It depends on the seed and on the call alone: its kind, what it is about, which it is.

    Threads and processes may make calls in another order on another run; each call's fate stays its own.
    """

    seed: int
    intensity: float
    focus: str = ""
    forced: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Faults of these calls, by their kind and which of that kind."""
    active: bool = True
    _made: Counter[tuple[str, str]] = field(default_factory=Counter)
    _runs: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def fate(self, operation: str, sent: bytes) -> tuple[str, int]:
        """Return the fault that soft_bounce_days this call (empty: none) and a number for its details."""
        found = _ABOUT.search(sent)
        call = operation, found[0].decode().lower() if found else ""
        number = self._drawn(*call)
        nth = self._made[operation, "any"]
        self._made[operation, "any"] += 1
        if (operation, nth) in self.forced:
            return self.forced[operation, nth], number
        run = self._runs.setdefault(call, [])
        if not self.active:
            return "", number
        often = self.intensity * (_FOCUSED if operation == self.focus else 1)
        if not run and number % _PRECISION < often * _PRECISION:
            kinds = FAULTS[operation]
            kind = (number >> 32) % len(kinds)
            run += [kinds[kind]] * _RUNS[(number >> 56) % len(_RUNS)]
        return run.pop() if run else "", number >> 40

    def _drawn(self, operation: str, about: str) -> int:
        nth = self._made[operation, about]
        self._made[operation, about] += 1
        told = f"{self.seed} {operation} {about} {nth}"
        return int.from_bytes(blake2b(told.encode(), digest_size=8).digest(), "big")


def refusal(code: str, status: int = 400, message: str = "made up") -> Reply:
    """Return AWS's refusal with this error code, as its JSON protocols and SES's REST carry it."""
    body = json.dumps({"__type": code, "message": message}).encode()
    name = code.rpartition("#")[2]
    return Reply(status, body, {"Content-Type": "application/x-amz-json-1.0", "x-amzn-ErrorType": name})


def _throttled(service: str) -> Reply:
    status, code = _THROTTLED[service]
    return refusal(code, status)


_REFUSALS: Mapping[str, Callable[[str], Reply]] = {
    "throttled": _throttled,
    "failed": lambda _: refusal("InternalServerError", 500),
    "unavailable": lambda _: Reply(HTTPStatus.SERVICE_UNAVAILABLE),
    "bad gateway": lambda _: Reply(HTTPStatus.BAD_GATEWAY, _HTML, {"Content-Type": "text/html"}),
    "forbidden": lambda _: Reply(HTTPStatus.FORBIDDEN, _FORBIDDEN, {"Content-Type": "text/html"}),
    "denied": lambda service: refusal("AccessDeniedException", 403 if service == "SES" else 400),
    "rejected": lambda _: refusal("BadRequestException"),
}


def broken(fault: str, service: str, effect: Callable[[], Reply]) -> Reply:
    """Return what the wire carries of a call that suffers `fault`, having had its `effect` if it has one."""
    if fault in _REFUSALS:
        return _REFUSALS[fault](service)
    if fault in _MADE_UP_BODIES:
        return Reply(200, _MADE_UP_BODIES[fault], {"Content-Type": "text/html"}, made_up=True)
    if fault in _SILENT:
        return Reply(manner=_MANNERS[fault])
    whole = effect()
    if fault == "failed after":
        return refusal("InternalServerError", 500)
    if fault == "cut":
        return Reply(whole.status, whole.body[: len(whole.body) // 2], whole.headers)
    return whole.given(_MANNERS[fault])
