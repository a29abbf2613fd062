"""The functions as they are deployed, on an embedded AWS, with a clock that tests move and calls that they watch."""

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
from ses_feedback.contacts.contact import Contact, Evidence, merge
from ses_feedback.contacts.record import ContactRecord, Item, become
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits
from ses_feedback.handlers import feedback, suppression
from ses_feedback.judging.facts import Fact
from ses_feedback.settings import Settings
from tests.support.builders import START
from tests.support.fakes import InlineExecutor
from tests.support.faulty_client import Call, Fault, FaultyClient

TIMEOUT = timedelta(seconds=300)
"""SuppressionFunction's, as the template has it."""
MAX_DRAINS = 8
"""Runs of the stream after which a list_sync that is in step has nothing left to say."""


class CurrentStdout(io.TextIOBase):
    """Whatever standard output is when something is written to it."""

    def write(self, text: str, /) -> int:
        """Write."""
        return sys.stdout.write(text)


def log_to_current_stdout() -> None:
    """Let every Powertools logger write to standard output as it is now, not as it was when pytest first captured it.

    Python keeps loggers, with the streams they began with, for as long as the process lasts.
    """
    for logger in logging.Logger.manager.loggerDict.values():
        handler = getattr(logger, "powertools_handler", None)
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(CurrentStdout())


@dataclass(frozen=True, slots=True)
class FakeContext:
    """Lambda's context of an invocation that has `remaining` left."""

    remaining: timedelta = TIMEOUT

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the function."""
        return int(self.remaining.total_seconds() * 1000)


@dataclass
class World:
    """An embedded AWS and the functions on it. `dynamodb`, `sqs`, `events` and `sesv2` are the functions' clients."""

    aws: EmbeddedAws
    settings: Settings

    def __post_init__(self) -> None:
        """Connect."""
        self.clock = self.aws.clock
        self.dynamodb, self.sqs, self.events, self.sesv2 = (
            FaultyClient(self.aws.client(service)) for service in ("dynamodb", "sqs", "events", "sesv2")
        )

    def go_wrong(self, number: int, fault: Fault) -> list[Call]:
        """Number the calls of all clients together from now on, and let one go wrong; return them as they are made."""
        calls: list[Call] = []
        for client in (self.dynamodb, self.sqs, self.events, self.sesv2):
            client.calls, client.faults = calls, {number: fault}
        return calls

    def clients(self) -> Clients:
        """Return clients whose calls are watched."""
        clients = Clients(self.aws.session)
        clients.dynamodb, clients.sqs = self.dynamodb, self.sqs
        clients.events, clients.sesv2 = self.events, self.sesv2
        return clients

    def feedback(self, **settings: Any) -> feedback.FeedbackHandler:  # noqa: ANN401 (Settings' fields)
        """Return a feedback function in a process of its own."""
        changed = replace(self.settings, **settings)
        handler = feedback.compose(changed, self.clients(), now=self.clock.now, sleep=self.clock.sleep)
        log_to_current_stdout()
        return handler

    def suppression(self, **settings: Any) -> suppression.SuppressionHandler:  # noqa: ANN401 (Settings' fields)
        """Return SuppressionFunction in a process of its own."""
        changed = replace(self.settings, **settings)
        handler = suppression.compose(changed, self.clients(), now=self.clock.now, sleep=self.clock.sleep)
        log_to_current_stdout()
        return handler

    def store(self, client: Any = None) -> ContactRepository:  # noqa: ANN401 (a botocore client, or what wraps one)
        """Return the store."""
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
        """Store facts."""
        assert self.store().learn(facts) == {}

    def reinstate(self, address: str, at: datetime | None = None) -> None:
        """Reinstate a contact, as an operator does."""
        store = self.store(self.aws.client("dynamodb"))
        [stored] = store.read([address], {}, consistent=True).values()
        assert store.write(reinstated(stored, at or self.clock.now(), self.settings.limits)) is None

    def stream(self) -> list[dict[str, Any]]:
        """Return the stream records that pass the template's filter."""
        return self.aws.stream_records()

    def drain(self) -> int:
        """Give SuppressionFunction the stream until there is none; return how many runs that took.

        What it hands back is left to the sweep.
        """
        handler = self.suppression()
        for run in range(MAX_DRAINS):
            records = self.stream()
            if not records:
                return run
            handler({"Records": records}, FakeContext())
        raise AssertionError("the stream never ends: what the list_sync writes brings it back")

    def sweep(self, after: timedelta = timedelta(minutes=10)) -> dict[str, Any]:
        """Let time pass and SuppressionFunction sweep."""
        self.clock.sleep(after.total_seconds())
        return self.suppression()({"source": "ses-feedback", "detail-type": "Sweep"}, FakeContext())

    def contact(self, address: str) -> ContactRecord:
        """Return a contact."""
        [stored] = self.store(self.aws.client("dynamodb")).read([address], {}, consistent=True).values()
        return stored

    def items(self) -> list[Item]:
        """Return every item of the table."""
        scanned: list[Item] = self.aws.client("dynamodb").scan(TableName=self.aws.table_name)["Items"]
        return sorted(scanned, key=lambda item: (item["address"]["S"], item["record"]["S"]))

    def history(self, address: str) -> list[Item]:
        """Return an address's history, the oldest first."""
        return [one for one in self.items() if one["address"]["S"] == address and one["record"]["S"] != "contact"]

    def listed(self) -> dict[str, str]:
        """Return the suppression list: address → reason."""
        return {entry.email_address: entry.reason.value for entry in self.aws.suppression_list.entries()}


def reinstated(stored: ContactRecord, at: datetime, limits: Limits) -> ContactRecord:
    """Return `stored` as it is after a reinstatement at `at`."""
    known = merge(stored.contact, Contact(stored.contact.address, opted_in=Evidence(at, "operator")))
    after = become(stored, known, limits, at)
    assert after
    return after


@contextmanager
def a_world(*, calls_per_second: float | None = 1.0, sandbox: bool = False, **settings: Any) -> Iterator[World]:  # noqa: ANN401 (Settings' fields)
    """Open a world in which it is a day after the builders' message."""
    clock = VirtualClock((START + timedelta(days=1)).astimezone(UTC))
    with EmbeddedAws(clock, calls_per_second=calls_per_second, sandbox=sandbox) as aws:
        yield World(aws, Settings(aws.table_name, aws.quarantine_url, **settings))
