"""A client of the embedded AWS some of whose calls fail, and the ways in which they fail."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

from botocore.exceptions import ClientError, ReadTimeoutError

from localaws.in_process.partiql import parse_statement
from ses_feedback.contacts.record import RECORD


class Call(NamedTuple):
    """A call of an AWS client."""

    operation: str
    request: Mapping[str, Any]


Fault = Callable[[str, Callable[..., Any], dict[str, Any]], Any]
"""What happens instead of a call: gets the operation, the real call and its request."""


_NUMBERING = Lock()


@dataclass(slots=True)
class FaultyClient:
    """A real client some of whose calls go wrong: `faults` by the call's number from 0, else `otherwise`.

    `calls` are all the calls made; clients that share the list and the faults are numbered together. With `only`,
    calls of other operations are neither numbered nor go wrong.
    """

    client: Any
    faults: dict[int, Fault] = field(default_factory=dict)
    default_fault: Fault | None = None
    only: str = ""
    calls: list[Call] = field(default_factory=list)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        """Return the client's method `operation`, faults included."""
        real = getattr(self.client, operation)

        def call(**request: Any) -> Any:  # noqa: ANN401 (whatever botocore takes and gives)
            if self.only and operation != self.only:
                return real(**request)
            with _NUMBERING:
                number = len(self.calls)
                self.calls.append(Call(operation, request))
            fault = self.faults.get(number, self.default_fault)
            return fault(operation, real, request) if fault else real(**request)

        return call

    def count(self, operation: str) -> int:
        """Return how many calls of `operation` were made."""
        return sum(call.operation == operation for call in self.calls)


def fails_with(code: str) -> Fault:
    """AWS answers with an error."""

    def fault(operation: str, _real: Callable[..., Any], _request: dict[str, Any]) -> None:
        # AWS's messages may quote the request; nobody may log them.
        raise ClientError({"Error": {"Code": code, "Message": "canary@example.com"}}, operation)

    return fault


def times_out(_operation: str, _real: Callable[..., Any], _request: dict[str, Any]) -> None:
    """AWS does not answer, and did nothing."""
    raise ReadTimeoutError(endpoint_url="https://example.com/canary@example.com")


def loses_response(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> None:
    """AWS does as asked, but its answer never arrives."""
    real(**request)
    raise ReadTimeoutError(endpoint_url="https://example.com/canary@example.com")


def returns_garbage(_operation: str, _real: Callable[..., Any], _request: dict[str, Any]) -> dict[str, Any]:
    """Something that is not AWS answers with a 200 botocore makes nothing of; AWS did nothing."""
    return {"ResponseMetadata": {"HTTPStatusCode": 200}}


class Killed(BaseException):
    """The process ends here. No `except Exception` notices."""


def process_ends_before(_operation: str, _real: Callable[..., Any], _request: dict[str, Any]) -> None:
    """The process ends before the call."""
    raise Killed


def process_ends_after(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> None:
    """AWS does as asked, and the process ends before it learns of it."""
    real(**request)
    raise Killed


def runs_first(happening: Callable[[], object]) -> Fault:
    """Something else happens, and then AWS does as asked."""

    def fault(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> object:
        happening()
        return real(**request)

    return fault


def leaves_unprocessed(keep: int) -> Fault:
    """BatchGetItem reads only the first `keep` of what it was asked for."""

    def fault(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> object:
        [(table, asked)] = request["RequestItems"].items()
        part, rest = {**asked, "Keys": asked["Keys"][:keep]}, {**asked, "Keys": asked["Keys"][keep:]}
        answer = real(RequestItems={table: part}) if keep else {"Responses": {table: []}}
        return {**answer, "UnprocessedKeys": {table: rest}}

    return fault


def key_of(statement: dict[str, Any]) -> tuple[str, str]:
    """Return the address and the record that a statement of BatchExecuteStatement writes."""
    key = parse_statement(statement["Statement"], statement["Parameters"]).key
    return key["address"]["S"], key["record"]["S"]


def writes_contact(_address: str, record: str) -> bool:
    """Say whether a statement writes a contact."""
    return record == RECORD


def writes_history(_address: str, record: str) -> bool:
    """Say whether a statement writes a contact's history."""
    return record != RECORD


def fails_statements(code: str, which: Callable[[str, str], bool] = writes_contact) -> Fault:
    """BatchExecuteStatement answers some of its statements with an error, and carries out the others."""

    def fault(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> object:
        asked = request["Statements"]
        failing = [which(*key_of(statement)) for statement in asked]
        rest = [statement for statement, fails in zip(asked, failing, strict=True) if not fails]
        carried_out = iter(real(Statements=rest)["Responses"] if rest else [])
        error = {"Error": {"Code": code, "Message": "canary@example.com"}}
        return {"Responses": [error if fails else next(carried_out) for fails in failing]}

    return fault
