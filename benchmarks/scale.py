"""The time of a record for growing batches and for growing numbers of contacts. It should be constant.

    python -m benchmarks.scale [--contacts 10000000]

The handler is the real one. The table is in memory and stores only the addresses of the contacts, so that ten million
fit (3 GB, one minute to create). The handler calls the table without botocore: botocore's time per record does not
depend on the number of records and would hide a growth.
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
from benchmarks.account import CONFIGURATION_SET, QUARANTINE, TABLE
from benchmarks.lanes import Lanes
from benchmarks.subjects import Context
from ses_feedback.aws.clients import Clients
from ses_feedback.handlers import feedback
from ses_feedback.settings import Settings

BATCH_SIZES = (100, 300, 1_000, 3_000, 10_000)
CONTACT_NUMBERS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
BATCH_SIZE = 1_000
"""Records in a batch while the number of contacts grows."""
CONTACTS = 100_000
"""Contacts while the batch grows."""
ROUNDS = 5
RECORDS = 10_000
"""Minimum number of records in a round, so that small batches are measured as long as large ones."""


class ManyContacts:
    """The DynamoDB operations that deliveries need, on contacts that each had a delivery the day before."""

    def __init__(self) -> None:
        """Create an empty table."""
        self._numbers: dict[str, int] = {}
        self._item = stored_contact()

    def grow(self, size: int) -> None:
        """Add contacts until there are `size`."""
        for number in range(len(self._numbers), size):
            self._numbers[messages.address(number).lower()] = number

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803 (botocore's own name)
        """Return the requested contacts."""
        ((table, request),) = RequestItems.items()
        addresses = [key["address"]["S"] for key in request["Keys"]]
        items = [self._contact(address) for address in addresses if address in self._numbers]
        return {"Responses": {table: items}, "UnprocessedKeys": {}}

    def batch_execute_statement(self, *, Statements: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Accept writes without storing them, so that each batch finds the same contacts."""
        return {"Responses": [{"TableName": TABLE} for _ in Statements]}

    def _contact(self, address: str) -> dict[str, Any]:
        variant = messages.address(self._numbers[address])
        return {**self._item, "address": {"S": address}, "variants": {"L": [{"S": variant}]}}


def stored_contact() -> dict[str, Any]:
    """Return the item of a contact after one delivery."""
    lanes = Lanes()
    lanes.process("Delivery", [messages.sqs_event([messages.delivery(0)], lane="Delivery")])
    (item,) = lanes.stub.table.items.values()
    return dict(item)


def create_handler(table: ManyContacts) -> feedback.FeedbackHandler:
    """Return the handler of the delivery lane with `table`."""
    clients = Clients()
    clients.dynamodb = table
    settings = Settings(TABLE, QUARANTINE, lane="Delivery", metric_configuration_sets=(CONFIGURATION_SET,))
    return feedback.compose(settings, clients)


def measure(handler: feedback.FeedbackHandler, contacts: int, size: int) -> float:
    """Return the CPU microseconds per record: the minimum of several rounds, because other load only adds to it."""
    generator = random.Random(size)
    times = []
    for _ in range(ROUNDS):
        cpu, records = 0.0, 0
        while records < RECORDS:
            # Each record is for a different contact, because several records for one contact need only one write.
            numbers = generator.sample(range(contacts), size)
            documents = (messages.delivery(number, sequence=messages.DAY) for number in numbers)
            event = messages.sqs_event(documents, lane="Delivery")
            start = time.process_time()
            with contextlib.redirect_stdout(io.StringIO()):
                handler(event, Context())
            cpu += time.process_time() - start
            records += size
        times.append(cpu / records * 1e6)
    return min(times)


def by_batch_size(handler: feedback.FeedbackHandler, contacts: int) -> Iterator[tuple[int, float]]:
    """Yield batch sizes and microseconds."""
    for size in BATCH_SIZES:
        yield size, measure(handler, contacts, size)


def by_contacts(handler: feedback.FeedbackHandler, table: ManyContacts, limit: int) -> Iterator[tuple[int, float]]:
    """Yield numbers of contacts up to `limit` and microseconds."""
    for number in CONTACT_NUMBERS:
        if number <= limit:
            table.grow(number)
            yield number, measure(handler, number, BATCH_SIZE)


def print_table(title: str, figures: Iterator[tuple[int, float]]) -> None:
    """Print the figures and their deviation from the median."""
    print(f"\n| {title} | CPU microseconds per record | deviation from the median |\n|---|---|---|")
    rows = list(figures)
    median = statistics.median(microseconds for _, microseconds in rows)
    for number, microseconds in rows:
        print(f"| {number:,} | {microseconds:.0f} | {microseconds / median - 1:+.0%} |", flush=True)


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--contacts", type=int, default=CONTACT_NUMBERS[-1], help="largest number of contacts")
    arguments = parser.parse_args()
    with contextlib.redirect_stdout(io.StringIO()):  # The loggers keep the standard output of their creation.
        fixed, growing = ManyContacts(), ManyContacts()
        fixed.grow(CONTACTS)
        fixed_handler, growing_handler = create_handler(fixed), create_handler(growing)
    print_table("records in a batch", by_batch_size(fixed_handler, CONTACTS))
    print_table("contacts", by_contacts(growing_handler, growing, arguments.contacts))


if __name__ == "__main__":
    main()
