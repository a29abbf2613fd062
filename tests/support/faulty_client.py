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
"""Replacement of a call. Its arguments are the operation, the client's method and the request."""


_NUMBERING = Lock()


@dataclass(slots=True)
class FaultyClient:
    """A client of the embedded AWS that replaces some calls by faults, and records all calls.

    `faults` maps numbers of calls, from 0, to faults. All other calls have the `default_fault`, if there is one.
    Clients that share `calls` and `faults` are numbered together. If `only` is an operation, other operations are
    neither numbered nor replaced.
    """

    client: Any
    faults: dict[int, Fault] = field(default_factory=dict)
    default_fault: Fault | None = None
    only: str = ""
    calls: list[Call] = field(default_factory=list)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        """Return the client's method `operation`, which may be replaced by a fault."""
        real = getattr(self.client, operation)

        def call(**request: Any) -> Any:  # noqa: ANN401 (any request and response of botocore)
            if self.only and operation != self.only:
                return real(**request)
            with _NUMBERING:
                number = len(self.calls)
                self.calls.append(Call(operation, request))
            fault = self.faults.get(number, self.default_fault)
            return fault(operation, real, request) if fault else real(**request)

        return call

    def count(self, operation: str) -> int:
        """Return the number of calls of `operation`."""
        return sum(call.operation == operation for call in self.calls)


def fails_with(code: str) -> Fault:
    """Return a fault: AWS returns an error, and does nothing."""

    def fault(operation: str, _real: Callable[..., Any], _request: dict[str, Any]) -> None:
        # Error messages of AWS may quote the request, and must not be logged.
        raise ClientError({"Error": {"Code": code, "Message": "canary@example.com"}}, operation)

    return fault


def times_out(_operation: str, _real: Callable[..., Any], _request: dict[str, Any]) -> None:
    """AWS does not respond, and does nothing."""
    raise ReadTimeoutError(endpoint_url="https://example.com/canary@example.com")


def loses_response(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> None:
    """AWS carries out the call, but the response is lost."""
    real(**request)
    raise ReadTimeoutError(endpoint_url="https://example.com/canary@example.com")


def returns_garbage(_operation: str, _real: Callable[..., Any], _request: dict[str, Any]) -> dict[str, Any]:
    """A proxy instead of AWS responds with status 200 and no result. AWS does nothing."""
    return {"ResponseMetadata": {"HTTPStatusCode": 200}}


class Killed(BaseException):
    """The process ends. It is a BaseException, so that `except Exception` does not catch it."""


def process_ends_before(_operation: str, _real: Callable[..., Any], _request: dict[str, Any]) -> None:
    """The process ends before the call."""
    raise Killed


def process_ends_after(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> None:
    """AWS carries out the call, and the process ends before the response arrives."""
    real(**request)
    raise Killed


def runs_first(interfere: Callable[[], object]) -> Fault:
    """Return a fault: `interfere` runs, then AWS carries out the call."""

    def fault(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> object:
        interfere()
        return real(**request)

    return fault


def leaves_unprocessed(processed: int) -> Fault:
    """Return a fault: BatchGetItem returns only the first `processed` items, and the other keys as unprocessed."""

    def fault(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> object:
        [(table, parameters)] = request["RequestItems"].items()
        keys = parameters["Keys"]
        part, rest = {**parameters, "Keys": keys[:processed]}, {**parameters, "Keys": keys[processed:]}
        response = real(RequestItems={table: part}) if processed else {"Responses": {table: []}}
        return {**response, "UnprocessedKeys": {table: rest}}

    return fault


def key_of(statement: dict[str, Any]) -> tuple[str, str]:
    """Return the key that a statement of BatchExecuteStatement writes: address and record."""
    key = parse_statement(statement["Statement"], statement["Parameters"]).key
    return key["address"]["S"], key["record"]["S"]


def writes_contact(_address: str, record: str) -> bool:
    """Return True if a statement writes a contact."""
    return record == RECORD


def writes_history(_address: str, record: str) -> bool:
    """Return True if a statement writes the history of a contact."""
    return record != RECORD


def fails_statements(code: str, which: Callable[[str, str], bool] = writes_contact) -> Fault:
    """Return a fault: the statements for which `which` is True fail with `code`, and the others are carried out."""

    def fault(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> object:
        statements = request["Statements"]
        failing = [which(*key_of(statement)) for statement in statements]
        rest = [statement for statement, fails in zip(statements, failing, strict=True) if not fails]
        responses = iter(real(Statements=rest)["Responses"] if rest else [])
        error = {"Error": {"Code": code, "Message": "canary@example.com"}}
        return {"Responses": [error if fails else next(responses) for fails in failing]}

    return fault
