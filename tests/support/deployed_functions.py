"""The Lambda functions as deployed, on the embedded AWS, with a clock that tests control and clients that can fail."""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from localaws.in_process.embedded_aws import EmbeddedAws
from localaws.in_process.virtual_clock import VirtualClock
from ses_feedback.aws.clients import Clients
from ses_feedback.contacts.record import ContactRecord, Item, become
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits
from ses_feedback.handlers import feedback, suppression
from ses_feedback.judging.facts import Fact
from ses_feedback.settings import Settings
from tests.support import builders
from tests.support.builders import START
from tests.support.fakes import InlineExecutor
from tests.support.faulty_client import Call, Fault, FaultyClient

TIMEOUT = timedelta(seconds=300)
"""Timeout of SuppressionFunction in the template."""
MAX_DRAINS = 8
"""Runs over the stream after which a sync without conflicts has written everything."""


class CurrentStdout(io.TextIOBase):
    """A stream that writes to the standard output of the moment."""

    def write(self, text: str, /) -> int:
        """Write `text` to standard output."""
        return sys.stdout.write(text)


def log_to_current_stdout() -> None:
    """Make every Powertools logger write to the current standard output.

    Loggers live as long as the process. Without this, they write to the stream that pytest captured for the first test.
    """
    for logger in logging.Logger.manager.loggerDict.values():
        handler = getattr(logger, "powertools_handler", None)
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(CurrentStdout())


@dataclass(frozen=True, slots=True)
class FakeContext:
    """Lambda's context object for an invocation with `remaining` time."""

    remaining: timedelta = TIMEOUT

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the function."""
        return int(self.remaining.total_seconds() * 1000)


@dataclass
class EmbeddedStack:
    """The embedded AWS and the functions. `dynamodb`, `sqs`, `events` and `sesv2` are the clients of the functions."""

    aws: EmbeddedAws
    settings: Settings

    def __post_init__(self) -> None:
        """Create the clients."""
        self.clock = self.aws.clock
        self.dynamodb, self.sqs, self.events, self.sesv2 = (
            FaultyClient(self.aws.client(service)) for service in ("dynamodb", "sqs", "events", "sesv2")
        )

    def inject_fault(self, number: int, fault: Fault) -> list[Call]:
        """Replace call `number` of all clients, counted together from now on, by `fault`. Return the list of calls."""
        calls: list[Call] = []
        for client in (self.dynamodb, self.sqs, self.events, self.sesv2):
            client.calls, client.faults = calls, {number: fault}
        return calls

    def clients(self) -> Clients:
        """Return the clients of the functions."""
        clients = Clients(self.aws.session)
        clients.dynamodb, clients.sqs = self.dynamodb, self.sqs
        clients.events, clients.sesv2 = self.events, self.sesv2
        return clients

    def feedback(self, **settings: Any) -> feedback.FeedbackHandler:  # noqa: ANN401 (Settings' fields)
        """Return the handler of a feedback function, as a new process creates it."""
        changed = replace(self.settings, **settings)
        handler = feedback.compose(changed, self.clients(), now=self.clock.now, sleep=self.clock.sleep)
        log_to_current_stdout()
        return handler

    def suppression(self, **settings: Any) -> suppression.SuppressionHandler:  # noqa: ANN401 (Settings' fields)
        """Return the handler of SuppressionFunction, as a new process creates it."""
        changed = replace(self.settings, **settings)
        handler = suppression.compose(changed, self.clients(), now=self.clock.now, sleep=self.clock.sleep)
        log_to_current_stdout()
        return handler

    def repository(self, client: Any = None) -> ContactRepository:  # noqa: ANN401 (a botocore client or a FaultyClient)
        """Return a contact repository."""
        return ContactRepository(
            client or self.dynamodb,
            self.aws.table_name,
            self.settings.limits,
            history_days=self.settings.history_days,
            now=self.clock.now,
            sleep=self.clock.sleep,
            executor=InlineExecutor(),
        )

    def learn(self, *facts: Fact) -> None:
        """Store facts in their contacts."""
        assert self.repository().learn(facts) == {}

    def reinstate(self, address: str, at: datetime | None = None) -> None:
        """Reinstate a contact, as an operator does."""
        changed = reinstated(self.contact(address), at or self.clock.now(), self.settings.limits)
        assert self.repository(self.aws.client("dynamodb")).write(changed) is None

    def stream(self) -> list[dict[str, Any]]:
        """Return the stream records that pass the filter of the template."""
        return self.aws.stream_records()

    def drain(self) -> int:
        """Invoke SuppressionFunction until the stream is empty. Return the number of invocations.

        Records that it returns for redelivery are left to the sweep.
        """
        handler = self.suppression()
        for run in range(MAX_DRAINS):
            records = self.stream()
            if not records:
                return run
            handler({"Records": records}, FakeContext())
        raise AssertionError("the stream never ends: each sync causes another one")

    def sweep(self, after: timedelta = timedelta(minutes=10), **settings: Any) -> dict[str, Any]:  # noqa: ANN401 (Settings' fields)
        """Advance the clock, and invoke SuppressionFunction for a sweep."""
        self.clock.sleep(after.total_seconds())
        return self.suppression(**settings)({"source": "ses-feedback", "detail-type": "Sweep"}, FakeContext())

    def contact(self, address: str) -> ContactRecord:
        """Return the record of a contact."""
        [stored] = self.repository(self.aws.client("dynamodb")).read([address], {}, consistent=True).values()
        return stored

    def items(self) -> list[Item]:
        """Return all items of the table."""
        items: list[Item] = self.aws.client("dynamodb").scan(TableName=self.aws.table_name)["Items"]
        return sorted(items, key=lambda item: (item["address"]["S"], item["record"]["S"]))

    def history(self, address: str) -> list[Item]:
        """Return the history of an address in chronological order."""
        return [item for item in self.items() if item["address"]["S"] == address and item["record"]["S"] != "contact"]

    def listed(self) -> dict[str, str]:
        """Return the suppression list as a mapping of addresses to reasons."""
        return {entry.email_address: entry.reason.value for entry in self.aws.suppression_list.entries()}


def reinstated(stored: ContactRecord, at: datetime, limits: Limits) -> ContactRecord:
    """Return `stored` after a reinstatement at `at`."""
    after = become(stored, builders.reinstated(stored.contact, at), limits, at)
    assert after
    return after


@contextmanager
def embedded_stack(
    *,
    calls_per_second: float | None = 1.0,
    sandbox: bool = False,
    **settings: Any,  # noqa: ANN401 (Settings' fields)
) -> Iterator[EmbeddedStack]:
    """Yield an embedded stack one day after the email of the builders was sent."""
    clock = VirtualClock((START + timedelta(days=1)).astimezone(UTC))
    with EmbeddedAws(clock, calls_per_second=calls_per_second, sandbox=sandbox) as aws:
        yield EmbeddedStack(aws, Settings(aws.table_name, aws.quarantine_url, **settings))
