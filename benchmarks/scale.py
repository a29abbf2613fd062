"""Whether a record costs the same in a large batch as in a small one, and with many contacts as with few.

    python -m benchmarks.scale [--contacts 10000000]

The handler is the real one; the table is in memory, and keeps of a contact only what it needs, so that ten million fit
(3 GB, a minute to make). It is called without botocore: that is the same for every record however many there are, and
would hide what is looked for here.
"""

import argparse
import contextlib
import io
import random
import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import messages
from benchmarks.subjects import CONFIGURATION_SET, QUARANTINE, TABLE, Context
from ses_feedback.aws.clients import Clients
from ses_feedback.handlers import feedback
from ses_feedback.settings import Settings

BATCHES = (100, 300, 1_000, 3_000, 10_000)
CONTACTS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
BATCH = 1_000
"""Records at a time when the number of contacts is what changes."""
SOME = 100_000
"""Contacts when the size of the batch is what changes."""
ROUNDS = 5
RECORDS = 10_000
"""Timed in a round at least, so that small batches are timed as long as large ones."""


class ManyContacts:
    """DynamoDB as far as deliveries need it: of each contact, the day of its last delivery and its `rev`."""

    def __init__(self) -> None:
        """Begin empty."""
        self._held: dict[str, tuple[str, str]] = {}

    def grow(self, number: int) -> None:
        """Know so many contacts in all, each delivered to once."""
        day = messages.SENT.date().isoformat()
        for one in range(len(self._held), number):
            self._held[messages.address(one).lower()] = day, "1"

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803 (botocore's own name)
        """Read contacts."""
        ((table, asked),) = RequestItems.items()
        addresses = [key["address"]["S"] for key in asked["Keys"]]
        found = [self._item(address) for address in addresses if address in self._held]
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Write contacts; what is written is forgotten, so that every batch finds what the first found."""
        return {"Responses": [{"TableName": TABLE} for _ in Statements]}

    def _item(self, address: str) -> dict[str, Any]:
        day, rev = self._held[address]
        return {
            "address": {"S": address},
            "record": {"S": "contact"},
            "rev": {"N": rev},
            "status": {"S": "active"},
            "may_send": {"BOOL": True},
            "published_status": {"S": "active"},
            "delivered_on": {"S": day},
            # The number in the address, for its variant is not kept.
            "variants": {"L": [{"S": messages.address(int(address[10:17]))}]},
        }


def handler(table: ManyContacts) -> feedback.FeedbackHandler:
    """Return the delivery lane's handler on `table`."""
    clients = Clients()
    clients.dynamodb = table
    settings = Settings(TABLE, QUARANTINE, lane="Delivery", metric_configuration_sets=(CONFIGURATION_SET,))
    return feedback.compose(settings, clients)


def measured(handle: feedback.FeedbackHandler, contacts: int, size: int) -> float:
    """Return the CPU microseconds that a record takes: the least of several rounds, as other work only adds to it."""
    chance = random.Random(size)
    times = []
    for _ in range(ROUNDS):
        spent, records = 0.0, 0
        while records < RECORDS:
            # Each of another contact: what is said twice of one is folded into one, which costs less.
            documents = (
                messages.delivery(number, sequence=messages.DAY) for number in chance.sample(range(contacts), size)
            )
            event = messages.sqs_event(documents, lane="Delivery")
            began = time.process_time()
            with contextlib.redirect_stdout(io.StringIO()):
                handle(event, Context())
            spent += time.process_time() - began
            records += size
        times.append(spent / records * 1e6)
    return min(times)


def by_batch(handle: feedback.FeedbackHandler, contacts: int) -> Iterator[tuple[int, float]]:
    """Yield batch size and microseconds."""
    for size in BATCHES:
        yield size, measured(handle, contacts, size)


def by_contacts(handle: feedback.FeedbackHandler, table: ManyContacts, most: int) -> Iterator[tuple[int, float]]:
    """Yield the number of contacts and microseconds."""
    for number in CONTACTS:
        if number <= most:
            table.grow(number)
            yield number, measured(handle, number, BATCH)


def show(what: str, found: Iterator[tuple[int, float]]) -> None:
    """Print a table, each figure beside how far it is from the middle of them all."""
    print(f"\n| {what} | CPU microseconds a record | against the median |\n|---|---|---|")
    rows = list(found)
    middle = statistics.median(microseconds for _, microseconds in rows)
    for number, microseconds in rows:
        print(f"| {number:,} | {microseconds:.0f} | {microseconds / middle - 1:+.0%} |", flush=True)


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--contacts", type=int, default=CONTACTS[-1], help="the most contacts there are")
    arguments = parser.parse_args()
    some, many = ManyContacts(), ManyContacts()
    some.grow(SOME)
    with contextlib.redirect_stdout(io.StringIO()):  # the loggers keep the standard output they first meet
        of_some, of_many = handler(some), handler(many)
    show("records in a batch", by_batch(of_some, SOME))
    show("contacts", by_contacts(of_many, many, arguments.contacts))


if __name__ == "__main__":
    main()
