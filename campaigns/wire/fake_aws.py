"""The AWS of a case: the simulator's table, list, queue and bus, spoken to on the wire, with faults."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import unquote

from botocore.exceptions import ClientError

from campaigns.simulation import fault_injector
from campaigns.simulation.aws_services import EventBridgeClient, SqsClient, SuppressionEntries
from campaigns.simulation.case import Case
from campaigns.simulation.dynamodb_client import DynamoDb
from campaigns.simulation.fault_injector import Answer, Effect
from campaigns.simulation.invariants import InvariantChecker
from campaigns.simulation.scheduler import SECOND, Scheduler
from campaigns.simulation.table import Table
from campaigns.wire.faults import IN_PART, TOLD_IN_PART, Plan, broken, refusal
from campaigns.wire.http_server import Reply, Request
from localaws.suppression_list.account_list import AccountSuppressionList
from localaws.suppression_list.entries import SuppressionReason
from localaws.suppression_list.rest_api import SuppressionListApi
from tests.support.dynamodb_table import UnknownRequestError

TIMED_OUT = 5 * SECOND
"""What a call that is never answered takes of a function's time; on this machine, a moment."""
_LATER = (6, 12, 25)
_IN_PART = "failed in part"
"""The simulator's name."""
_CAMEL = re.compile(r"(?<!^)(?=[A-Z])")
_SERVICES = {"DynamoDB_20120810": "DynamoDB", "AmazonSQS": "SQS", "AWSEvents": "EventBridge"}
_ENTRIES = "/v2/email/suppression/addresses"


class Called(NamedTuple):
    """A call, as it is remembered: at what time, whose, which, about what, and the fault or the error."""

    at: int
    worker: str
    operation: str
    about: str
    came_to: str


class _Injector(fault_injector.FaultInjector):
    """Stands where the simulator's faults do: faults of whole calls are on the wire, those of parts are told here."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Break nothing."""
        super().__init__(Case(()), scheduler)
        self.about = ""

    def call(self, operation: str, about: str, effect: Effect, parts: int = 1) -> Answer:  # noqa: ARG002 (as the simulator's)
        """Make the call."""
        self.about = about
        return effect()

    def next_staleness(self) -> int:
        """Return how many versions old an eventually consistent answer is."""
        return self.argument % 3

    def add_remark(self, outcome: str) -> None:
        """Add to what the call is about."""
        self.about += f": {outcome}"


class Entries(SuppressionEntries):
    """The suppression list as the simulator's checker knows it, kept by what speaks SES's protocol."""

    def __init__(self, held: AccountSuppressionList, entries: Mapping[str, str]) -> None:
        """Begin with `entries`, which SES made itself."""
        self.written = set()
        self._held = held
        self._api = SuppressionListApi(held)
        for address, reason in entries.items():
            held.add_from_feedback(address, SuppressionReason(reason), message_id="made-up", feedback_id="made-up")

    def respond(self, request: Request) -> Reply:
        """Answer one of SES's two calls."""
        answer = self._api.respond(request.method, request.path, "", request.body)
        if answer is None:
            raise UnknownRequestError(request.method, request.path)
        return Reply(answer.status, answer.body, answer.headers)

    @property
    def entries(self) -> dict[str, str]:  # type: ignore[override]
        """The reason by variant."""
        return {entry.email_address: entry.reason.value for entry in self._held.entries()}


class Aws:
    """Answers requests, as well as `plan` lets it."""

    def __init__(
        self, scheduler: Scheduler, table: Table, checker: InvariantChecker, entries: Entries, plan: Plan
    ) -> None:
        """Keep what is sent in `table`, `entries` and `watch`."""
        self.plan = plan
        self.log: list[Called] = []
        self.faults: Counter[tuple[str, str]] = Counter()
        self.lock = Lock()
        self._scheduler = scheduler
        self._entries = entries
        self._late: list[tuple[int, Callable[[], Reply]]] = []
        self._injector = injector = _Injector(scheduler)
        self._services: dict[str, Any] = {
            "DynamoDB": DynamoDb(table, injector),
            "SQS": SqsClient(checker.quarantined, injector, checker.check_text),
            "EventBridge": EventBridgeClient(checker.published, injector, checker.check_text),
        }

    def answer(self, request: Request) -> Reply:
        """Answer a request."""
        service, operation = _named(request)
        with self.lock:
            self.perform_late()
            self._scheduler.steps += 1
            fault, number = self.plan.fate(operation, unquote(request.path).encode() + request.body)

            def effect() -> Reply:
                self._injector.fault = _IN_PART if fault == IN_PART else fault if fault in TOLD_IN_PART else ""
                self._injector.argument = number if self.plan.active else 0
                return self._effect(service, operation, request)

            self._injector.about = ""
            reply = self._broken(fault, number, service, effect) if fault else effect()
            if fault:
                self.faults[operation, fault] += 1
            came_to = f"** {fault}" if fault else reply.headers.get("x-amzn-ErrorType", "")
            about = self._injector.about or unquote(request.path).removeprefix(_ENTRIES)
            self.note(request.headers.get("x-worker", ""), operation, about, came_to)
        return reply

    def note(self, worker: str, operation: str, about: str = "", came_to: str = "") -> None:
        """Remember a call, or what else happened."""
        self.log.append(Called(self._scheduler.clock, worker, operation, about, came_to))

    def perform_late(self) -> None:
        """Carry out the delayed calls whose time has come; their callers no longer wait."""
        due = [one for one in self._late if one[0] <= self._scheduler.clock]
        self._late = [one for one in self._late if one not in due]
        for _, effect in due:
            effect()
            self.note("", "late", self._injector.about)

    def due(self) -> int | None:
        """Return when the next of them does."""
        return min((at for at, _ in self._late), default=None)

    def _broken(self, fault: str, number: int, service: str, effect: Callable[[], Reply]) -> Reply:
        if fault in TOLD_IN_PART:
            return effect()
        if fault.startswith("never") or fault == "published too long":
            self._scheduler.clock += TIMED_OUT
        if fault == "never answered, done later":
            self._late.append((self._scheduler.clock + _LATER[number % 3] * SECOND, effect))
            return broken("never answered", service, effect)
        return broken(fault, service, effect)

    def _effect(self, service: str, operation: str, request: Request) -> Reply:
        if service == "SES":
            return self._list_call(operation, request)
        try:
            answer = getattr(self._services[service], operation)(**json.loads(request.body))
        except ClientError as error:
            return refusal(error.response["Error"]["Code"])
        return Reply(200, json.dumps(answer).encode(), {"Content-Type": "application/x-amz-json-1.0"})

    def _list_call(self, operation: str, request: Request) -> Reply:
        if operation.startswith("put"):
            asked = json.loads(request.body)
            address = asked["EmailAddress"]
            self._injector.about = f"{address} {asked['Reason']}"
        else:
            address = self._injector.about = unquote(request.path).removeprefix(f"{_ENTRIES}/")
        self._entries.written.add(address.lower())
        return self._entries.respond(request)


def _named(request: Request) -> tuple[str, str]:
    """Return the service and the operation asked for, the latter as botocore's method is called."""
    target = request.headers.get("x-amz-target", "")
    if not target:
        return "SES", f"{request.method.lower()}_suppressed_destination"
    prefix, _, name = target.partition(".")
    return _SERVICES[prefix], _CAMEL.sub("_", name).lower()
