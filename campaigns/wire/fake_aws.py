"""The AWS of a case: the simulation's table, list, queue and event bus behind AWS's protocols, with wire faults."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import unquote

from botocore.exceptions import ClientError

from campaigns.simulation.aws_services import EventBridgeClient, SqsClient, SuppressionEntries
from campaigns.simulation.case import Case
from campaigns.simulation.dynamodb_client import DynamoDb
from campaigns.simulation.fault_injector import Answer, Effect, FaultInjector
from campaigns.simulation.invariants import InvariantChecker
from campaigns.simulation.scheduler import SECOND, Scheduler
from campaigns.simulation.table import Table
from campaigns.wire.faults import CLOSED_IN_PART, REPORTED_IN_PART, FaultPlan, error_reply, faulty_reply
from campaigns.wire.http_server import Reply, Request
from localaws.suppression_list.account_list import AccountSuppressionList
from localaws.suppression_list.entries import SuppressionReason
from localaws.suppression_list.rest_api import SuppressionListApi
from tests.support.dynamodb_table import UnknownRequestError

TIMEOUT = 5 * SECOND
"""Virtual time of a call without an answer. The client of a function waits much shorter in real time."""
_LATE_BY = (6, 12, 25)
"""Seconds after which a late call has its effect."""
_FAILED_IN_PART = "failed in part"
"""The simulation's name of CLOSED_IN_PART."""
_CAMEL = re.compile(r"(?<!^)(?=[A-Z])")
_SERVICES = {"DynamoDB_20120810": "DynamoDB", "AmazonSQS": "SQS", "AWSEvents": "EventBridge"}
_ENTRIES_PATH = "/v2/email/suppression/addresses"


class LoggedCall(NamedTuple):
    """A call in the log of a case. `outcome` is the fault or the error code, or empty."""

    clock: int
    worker: str
    operation: str
    about: str
    outcome: str


class PartialFaults(FaultInjector):
    """The simulation's injector for faults of parts of a call. Faults of whole calls happen on the wire."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Inject no fault of a case."""
        super().__init__(Case(()), scheduler)
        self.about = ""

    def call(self, operation: str, about: str, effect: Effect, parts: int = 1) -> Answer:  # noqa: ARG002 (as FaultInjector)
        """Apply the call, and keep its description."""
        self.about = about
        return effect()

    def next_staleness(self) -> int:
        """Return the number of versions by which an eventually consistent read is behind."""
        return self.argument % 3

    def add_remark(self, outcome: str) -> None:
        """Append `outcome` to the description of the call."""
        self.about += f": {outcome}"


class Entries(SuppressionEntries):
    """The suppression list as the simulation's checker reads it, stored behind the REST API of SES."""

    def __init__(self, account_list: AccountSuppressionList, entries: Mapping[str, str]) -> None:
        """Begin with `entries`, which SES added itself."""
        self.written = set()
        self._list = account_list
        self._api = SuppressionListApi(account_list)
        for address, reason in entries.items():
            account_list.add_from_feedback(
                address, SuppressionReason(reason), message_id="made-up", feedback_id="made-up"
            )

    def respond(self, request: Request) -> Reply:
        """Return the answer to PutSuppressedDestination, DeleteSuppressedDestination or GetAccount."""
        response = self._api.respond(request.method, request.path, "", request.body)
        if response is None:
            raise UnknownRequestError(request.method, request.path)
        return Reply(response.status, response.body, response.headers)

    @property
    def entries(self) -> dict[str, str]:  # type: ignore[override]
        """The reasons by address variant."""
        return {entry.email_address: entry.reason.value for entry in self._list.entries()}


class FakeAws:
    """Answers requests, with the faults of `plan`."""

    def __init__(
        self, scheduler: Scheduler, table: Table, checker: InvariantChecker, entries: Entries, plan: FaultPlan
    ) -> None:
        """Store items in `table`, list entries in `entries`, and messages and events in `checker`."""
        self.plan = plan
        self.log: list[LoggedCall] = []
        self.faults: Counter[tuple[str, str]] = Counter()
        self.lock = Lock()
        self._scheduler = scheduler
        self._entries = entries
        self._late: list[tuple[int, Callable[[], Reply]]] = []
        self._injector = injector = PartialFaults(scheduler)
        self._services: dict[str, Any] = {
            "DynamoDB": DynamoDb(table, injector),
            "SQS": SqsClient(checker.quarantined, injector, checker.check_text),
            "EventBridge": EventBridgeClient(checker.published, injector, checker.check_text),
        }

    def answer(self, request: Request) -> Reply:
        """Return the reply to a request."""
        service, operation = _operation_of(request)
        with self.lock:
            self.apply_late_calls()
            self._scheduler.steps += 1
            fault, number = self.plan.next_fault(operation, unquote(request.path).encode() + request.body)

            def effect() -> Reply:
                reported = fault if fault in REPORTED_IN_PART else ""
                self._injector.fault = _FAILED_IN_PART if fault == CLOSED_IN_PART else reported
                self._injector.argument = number if self.plan.active else 0
                return self._apply(service, operation, request)

            self._injector.about = ""
            reply = self._reply_with_fault(fault, number, service, effect) if fault else effect()
            if fault:
                self.faults[operation, fault] += 1
            outcome = f"** {fault}" if fault else reply.headers.get("x-amzn-ErrorType", "")
            about = self._injector.about or unquote(request.path).removeprefix(_ENTRIES_PATH)
            self.add_to_log(request.headers.get("x-worker", ""), operation, about, outcome)
        return reply

    def add_to_log(self, worker: str, operation: str, about: str = "", outcome: str = "") -> None:
        """Log a call or another event."""
        self.log.append(LoggedCall(self._scheduler.clock, worker, operation, about, outcome))

    def apply_late_calls(self) -> None:
        """Apply the late calls that are due. Their callers no longer wait."""
        due = [one for one in self._late if one[0] <= self._scheduler.clock]
        self._late = [one for one in self._late if one not in due]
        for _, effect in due:
            effect()
            self.add_to_log("", "late", self._injector.about)

    def due(self) -> int | None:
        """Return the time of the next late call, or None if there is none."""
        return min((at for at, _ in self._late), default=None)

    def _reply_with_fault(self, fault: str, number: int, service: str, effect: Callable[[], Reply]) -> Reply:
        if fault in REPORTED_IN_PART:
            return effect()
        if fault.startswith("no answer") or fault == "length too long":
            self._scheduler.clock += TIMEOUT
        if fault == "no answer, effect later":
            self._late.append((self._scheduler.clock + _LATE_BY[number % 3] * SECOND, effect))
            return faulty_reply("no answer", service, effect)
        return faulty_reply(fault, service, effect)

    def _apply(self, service: str, operation: str, request: Request) -> Reply:
        if service == "SES":
            return self._apply_list_call(operation, request)
        try:
            answer = getattr(self._services[service], operation)(**json.loads(request.body))
        except ClientError as error:
            return error_reply(error.response["Error"]["Code"])
        return Reply(200, json.dumps(answer).encode(), {"Content-Type": "application/x-amz-json-1.0"})

    def _apply_list_call(self, operation: str, request: Request) -> Reply:
        if operation == "get_account":
            return self._entries.respond(request)
        if operation.startswith("put"):
            entry = json.loads(request.body)
            address = entry["EmailAddress"]
            self._injector.about = f"{address} {entry['Reason']}"
        else:
            address = self._injector.about = unquote(request.path).removeprefix(f"{_ENTRIES_PATH}/")
        self._entries.written.add(address.lower())
        return self._entries.respond(request)


def _operation_of(request: Request) -> tuple[str, str]:
    """Return the service and the operation; the latter is the name of botocore's method."""
    target = request.headers.get("x-amz-target", "")
    if request.path == "/v2/email/account":
        return "SES", "get_account"
    if not target:
        return "SES", f"{request.method.lower()}_suppressed_destination"
    prefix, _, name = target.partition(".")
    return _SERVICES[prefix], _CAMEL.sub("_", name).lower()
