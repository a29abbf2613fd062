"""The ledger of import jobs, on one item of the contacts table."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ses_feedback.aws.errors import AWS_ERRORS, require
from ses_feedback.contacts.statements import put
from ses_feedback.suppression.import_jobs.model import KEY, Ledger, decode, encode

ATTEMPTS = 4
"""Rounds of reading, changing and writing the ledger. Only sweeps write it, and two of them seldom overlap."""


class LedgerClient(Protocol):
    """The methods of a DynamoDB client that the ledger calls."""

    def get_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102
    def put_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102


class ImportLedger:
    """The stored ledger."""

    def __init__(self, client: LedgerClient, table: str) -> None:
        """Store the ledger in `table` through `client`."""
        self._client = client
        self._table = table

    def read(self) -> Ledger | None:
        """Return the ledger, or None if its item is malformed.

        Raises:
            AWS_ERRORS: DynamoDB cannot be reached or refuses the call.

        """
        answer = self._client.get_item(TableName=self._table, Key=KEY, ConsistentRead=True)
        try:
            return decode(answer.get("Item"))
        except ValueError:
            return None

    def change(self, change: Callable[[Ledger], Ledger | None]) -> bool:
        """Replace the ledger with the result of `change`, under its optimistic lock; return True if it was replaced.

        `change` returns None if the ledger must stay as it is. It is called again if another worker wrote the ledger,
        or if the response of a write was lost, so it must be idempotent.
        """
        for _ in range(ATTEMPTS):
            try:
                ledger = self.read()
                after = change(ledger) if ledger else None
                if ledger is None or after is None:
                    return False
                self._write(after, ledger.rev)
            except AWS_ERRORS:
                continue
            return True
        return False

    def _write(self, after: Ledger, rev: int) -> None:
        item = {**encode(after), "rev": {"N": str(rev + 1)}}
        answer = self._client.put_item(**put(self._table, item))
        require(answer, "ConsumedCapacity")
