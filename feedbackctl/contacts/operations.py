"""Bulk operations, stored in the table: what was selected, why, by which caller, and how far the work is.

The contacts are stored in chunks before the first of them changes. So an interrupted operation is continued where it
ended, from any machine, and an operation can be taken back.
"""

import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from feedbackctl.contacts.attributes import text_of
from feedbackctl.contacts.grouping import grouped
from feedbackctl.contacts.history import query_records
from feedbackctl.errors import OperatorError
from feedbackctl.stack import Stack
from ses_feedback.contacts.contact import Evidence
from ses_feedback.contacts.record import Item
from ses_feedback.immutable import Struct, replace
from ses_feedback.timestamps import format_timestamp, read_timestamp

CHUNK = 500
"""Most contacts in a chunk."""
CHUNK_BYTES = 300_000
"""Most bytes in a chunk, which is one item: DynamoDB's limit is 400 kB."""
_ADDRESS = "operations"
"""The partition of all operations. No contact has it, because an address contains an `@`."""
_OPERATION, _CHUNK = "operation#", "chunk#"


class State(StrEnum):
    """State of an operation. PREPARING: the contacts are not all stored, and none is changed."""

    PREPARING = "preparing"
    RUNNING = "running"
    DONE = "done"
    UNDONE = "undone"


class Operation(Struct, frozen=True):
    """A bulk operation. `done` counts the chunks whose contacts are changed, `contacts` all that were selected."""

    id: str
    selection: str
    reason: str
    caller: str
    at: datetime
    state: State = State.PREPARING
    contacts: int = 0
    chunks: int = 0
    done: int = 0


class Selected(Struct, frozen=True):
    """A contact of an operation: its list entries, and its status before with the evidence that gave it."""

    address: str
    entries: tuple[str, ...]
    status: str
    evidence: Evidence | None


@dataclass(frozen=True)
class OperationStore:
    """The operations in the stack's table."""

    stack: Stack

    def create(self, selection: str, reason: str, caller: str, at: datetime) -> Operation:
        """Store a new operation and return it."""
        operation = Operation(f"{at:%Y%m%d}-{secrets.token_hex(4)}", selection, reason, caller, at)
        self.save(operation)
        return operation

    def save(self, operation: Operation) -> None:
        """Write the state of an operation."""
        texts = {
            "address": _ADDRESS,
            "record": f"{_OPERATION}{operation.id}",
            "selection": operation.selection,
            "reason": operation.reason,
            "caller": operation.caller,
            "at": format_timestamp(operation.at),
            "state": operation.state.value,
        }
        numbers = {"contacts": operation.contacts, "chunks": operation.chunks, "done": operation.done}
        self._put(
            operation,
            {name: {"S": text} for name, text in texts.items()}
            | {name: {"N": str(number)} for name, number in numbers.items()},
        )

    def add_contacts(self, operation: Operation, selected: Iterable[Selected]) -> Operation:
        """Store the selected contacts, and return the operation as one that may run."""
        contacts = number = 0
        for number, chunk in enumerate(grouped(map(encode_selected, selected), _size, CHUNK_BYTES, CHUNK), 1):
            contacts += len(chunk)
            key = {"address": {"S": f"{_OPERATION}{operation.id}"}, "record": {"S": f"{_CHUNK}{number - 1:06d}"}}
            self._put(operation, {**key, "selected": {"S": json.dumps(chunk)}})
        ready = replace(operation, state=State.RUNNING, contacts=contacts, chunks=number)
        self.save(ready)
        return ready

    def chunks(self, operation: Operation, first: int = 0) -> Iterator[list[Selected]]:
        """Yield the chunks of an operation, from number `first`."""
        address = f"{_OPERATION}{operation.id}"
        for item in query_records(self._dynamodb, self.stack.table, address, _CHUNK):
            if int(text_of(item, "record").removeprefix(_CHUNK)) >= first:
                yield [decode_selected(one) for one in json.loads(text_of(item, "selected"))]

    def all(self) -> list[Operation]:
        """Return the operations that have not expired, the oldest first."""
        items = query_records(self._dynamodb, self.stack.table, _ADDRESS, _OPERATION)
        return sorted(map(_decode_operation, items), key=lambda operation: operation.at)

    def find(self, operation_id: str) -> Operation:
        """Return an operation by its id.

        Raises:
            OperatorError: there is none.

        """
        for operation in self.all():
            if operation.id == operation_id:
                return operation
        raise OperatorError("There is no such operation. `feedbackctl contact operations` lists them.")

    def find_unfinished(self, selection: str) -> Operation | None:
        """Return the running operation with the same selection, or None."""
        running = (one for one in self.all() if one.state is State.RUNNING and one.selection == selection)
        return next(running, None)

    def _put(self, operation: Operation, item: Item) -> None:
        # Chunks contain addresses, so they expire like the history does.
        expires = operation.at + timedelta(days=self.stack.settings.history_days)
        expiry: Item = {"expires_at": {"N": str(int(expires.timestamp()))}}
        self._dynamodb.put_item(TableName=self.stack.table, Item=item | expiry)

    @property
    def _dynamodb(self) -> Any:  # noqa: ANN401 (botocore's client)
        return self.stack.aws.client("dynamodb")


def _decode_operation(item: Item) -> Operation:
    return Operation(
        text_of(item, "record").removeprefix(_OPERATION),
        text_of(item, "selection"),
        text_of(item, "reason"),
        text_of(item, "caller"),
        read_timestamp(text_of(item, "at")),
        State(text_of(item, "state")),
        *(int(item[name]["N"]) for name in ("contacts", "chunks", "done")),
    )


def _size(encoded: list[Any]) -> int:
    return len(json.dumps(encoded)) + 2


def encode_selected(selected: Selected) -> list[Any]:
    """Return a selected contact as JSON."""
    evidence = selected.evidence
    texts = [getattr(evidence, name) for name in _TEXTS] if evidence else []
    at = [format_timestamp(evidence.at)] if evidence else []
    return [selected.address, list(selected.entries), selected.status, at + texts]


def decode_selected(fields: list[Any]) -> Selected:
    """Return the contact that `encode_selected` encoded."""
    address, entries, status, texts = fields
    evidence = Evidence(read_timestamp(texts[0]), *texts[1:]) if texts else None
    return Selected(address, tuple(entries), status, evidence)


_TEXTS = ("reason", "configuration_set", "message_id", "status_code")
