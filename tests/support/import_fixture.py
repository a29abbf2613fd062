"""Fixture for tests of import jobs: an emulated AWS on which sweeps start a job for more than two contacts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ses_feedback.judging.facts import Fact
from ses_feedback.suppression.import_jobs.model import (
    KEY,
    ImportJob,
    Ledger,
    Stage,
    decode,
)
from tests.support.builders import a_fact
from tests.support.deployed_functions import EmbeddedStack, embedded_stack
from tests.support.faulty_client import FaultyClient

BUCKET = "imports"
FIVE_MINUTES = timedelta(minutes=5)


@dataclass
class ImportFixture:
    """An emulated AWS whose sweeps start an import job if more than two contacts are pending."""

    stack: EmbeddedStack
    s3: FaultyClient

    def sweep(self, after: timedelta = FIVE_MINUTES, *, hours: float = 2 / 3600) -> dict[str, Any]:
        """Sweep `after` some time."""
        return self.stack.sweep(after, import_bucket=BUCKET, suppression_backlog_hours=hours)

    def learn(self, *facts: Fact) -> None:
        """Store facts. The stream does not deliver them."""
        self.stack.learn(*facts)

    def ledger(self) -> Ledger:
        """Return the ledger."""
        response = self.stack.aws.client("dynamodb").get_item(TableName=self.stack.aws.table_name, Key=KEY)
        return decode(response.get("Item"))

    def objects(self) -> list[str]:
        """Return the contents of the objects in the bucket."""
        objects = self.stack.aws.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
        client = self.stack.aws.client("s3")
        return [client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read().decode() for item in objects]

    def called(self, operation: str) -> int:
        """Return the number of calls of an SES operation."""
        return self.stack.sesv2.count(operation)

    def pending(self) -> list[str]:
        """Return the addresses of all pending contacts."""
        store = self.stack.repository(self.stack.aws.client("dynamodb"))
        return sorted(address for _, address in store.find_pending(self.stack.clock.now() + timedelta(days=365)))


@contextmanager
def an_import_fixture(**options: Any) -> Iterator[ImportFixture]:  # noqa: ANN401
    """Create a fixture; `options` are those of `embedded_stack`."""
    with embedded_stack(**options) as stack:
        stack.aws.client("s3").create_bucket(Bucket=BUCKET)
        fixture = ImportFixture(stack, FaultyClient(stack.aws.client("s3")))
        create_clients = stack.clients

        def clients() -> Any:  # noqa: ANN401
            created = create_clients()
            created.s3 = fixture.s3
            return created

        stack.clients = clients  # type: ignore[method-assign]
        yield fixture


NAMES = ["ann@example.com", "bob@example.com", "cleo@example.com", "dan@example.com"]


def bounces(*names: str) -> list[Fact]:
    """Return a hard bounce of each address."""
    return [a_fact(address=name) for name in names]


def started_import(fixture: ImportFixture) -> ImportJob:
    """Return the running job after a sweep of four bounces."""
    fixture.learn(*bounces(*NAMES))
    fixture.sweep()
    [job] = fixture.ledger().jobs
    assert job.stage is Stage.RUNNING
    return job
