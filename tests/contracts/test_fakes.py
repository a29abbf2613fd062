"""The fakes and the adapters behave alike. Every test that uses a fake relies on this."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import pytest

from feedbackctl.replay.unapplied_messages import original_text
from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.errors import CONDITION_FAILED
from ses_feedback.aws.events import EventPublisher
from ses_feedback.aws.quarantine import Quarantine
from ses_feedback.aws.refusals import OUT_OF_TIME, RefusalKind
from ses_feedback.contacts.record import Item, shard, without_lease, written
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits, Status
from ses_feedback.contacts.status_change import StatusChange
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import ListReason, Verdict
from ses_feedback.processing import pipeline
from ses_feedback.suppression import interfaces
from ses_feedback.suppression.list_client import SuppressionListClient
from ses_feedback.suppression.rate_limiter import RateLimiter
from tests.support.builders import AT, RECIPIENT, a_contact, a_fact, an_echo, on_day, soft_bounce_days
from tests.support.deployed_functions import reinstated
from tests.support.fakes import (
    FakeContacts,
    FakeEventPublisher,
    FakeQuarantine,
    FakeRateLimiter,
    FakeSuppressionList,
    ManualClock,
    QuarantinedMessage,
)
from tests.support.faulty_client import FaultyClient, fails_with

LIMITS = Limits()
OTHER = "other@example.com"


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """An embedded AWS that does not limit the rate of SES calls."""
    with EmbeddedAws(ManualClock(), calls_per_second=None) as aws:
        yield aws


# --- Contacts -------------------------------------------------------------------------------------------------------


class Contacts(interfaces.PendingContacts, pipeline.FactStore, Protocol):
    """The contact store that the sync and the pipeline use."""


@dataclass
class Kit:
    """A contact store, its clock, and direct access to its items."""

    contacts: Contacts
    clock: ManualClock
    items: Callable[[], list[Item]]
    plant: Callable[[Item], object]

    def item(self, address: str = RECIPIENT) -> Item:
        """Return the item of a contact."""
        found = [item for item in self.items() if item["address"]["S"] == address]
        [contact] = [item for item in found if item["record"]["S"] == "contact"]
        return contact

    def history(self, address: str = RECIPIENT) -> list[Item]:
        """Return the history of a contact."""
        found = [item for item in self.items() if item["address"]["S"] == address]
        return [item for item in found if item["record"]["S"] != "contact"]


@contextmanager
def fake_store() -> Iterator[Kit]:
    """Yield the fake."""
    clock = ManualClock()
    fake = FakeContacts(LIMITS, now=clock.now)

    def items() -> list[Item]:
        return [*fake.items.values(), *(item for address in (RECIPIENT, OTHER) for item in fake.history(address))]

    yield Kit(fake, clock, items, lambda item: fake.items.update({item["address"]["S"]: item}))


@contextmanager
def dynamodb_store() -> Iterator[Kit]:
    """Yield the adapter."""
    clock = ManualClock()
    with EmbeddedAws(clock) as aws:
        client, table = aws.client("dynamodb"), aws.table_name
        store = ContactRepository(client, table, LIMITS, history_days=365, now=clock.now, sleep=clock.sleep)
        yield Kit(
            store,
            clock,
            lambda: client.scan(TableName=table)["Items"],
            lambda item: client.put_item(TableName=table, Item=item),
        )


@pytest.fixture(params=[fake_store, dynamodb_store], ids=["fake", "dynamodb"])
def kit(request: pytest.FixtureRequest) -> Iterator[Kit]:
    """Each contact store."""
    with request.param() as kit:
        yield kit


class TestContacts:
    """`FakeContacts` and `ContactRepository`."""

    def test_an_unknown_address_is_read_as_an_empty_contact(self, kit: Kit) -> None:
        failed: dict[str, str] = {}
        stored = kit.contacts.read([RECIPIENT], failed, consistent=True)[RECIPIENT]
        assert (stored.contact, stored.rev, failed) == (a_contact(), 0, {})

    def test_reading_an_address_twice_in_one_call_fails(self, kit: Kit) -> None:
        """DynamoDB rejects duplicate keys: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html."""
        failed: dict[str, str] = {}
        assert kit.contacts.read([RECIPIENT, OTHER, RECIPIENT], failed, consistent=True) == {}
        assert failed == dict.fromkeys([RECIPIENT, OTHER], "ValidationException")

    def test_all_facts_about_one_contact_cause_one_write(self, kit: Kit) -> None:
        facts = [a_fact(Verdict.SUPPRESS), a_fact(Verdict.COMPLAIN, on_day(2)), *soft_bounce_days(3, 4)]
        assert kit.contacts.learn(iter(facts)) == {}
        stored = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        assert (stored.contact, stored.rev, stored.status) == (a_contact(*facts), 1, Status.COMPLAINED)

    def test_storing_the_same_facts_again_changes_no_item(self, kit: Kit) -> None:
        facts = [a_fact(), a_fact(Verdict.NOTE, on_day(3)), a_fact(Verdict.DELIVERED, on_day(4))]
        kit.contacts.learn(facts)
        before = kit.items()
        kit.clock.sleep(60)
        assert kit.contacts.learn(facts) == {}
        assert kit.items() == before

    def test_a_note_creates_history_but_no_contact(self, kit: Kit) -> None:
        assert kit.contacts.learn([a_fact(Verdict.NOTE)]) == {}
        assert [item["verdict"]["S"] for item in kit.items()] == ["NOTE"]

    def test_a_delivery_creates_no_history(self, kit: Kit) -> None:
        assert kit.contacts.learn([a_fact(Verdict.DELIVERED)]) == {}
        assert [item["record"]["S"] for item in kit.items()] == ["contact"]
        assert [number["N"] for number in kit.item()["delivered"]["L"]] == [str(a_fact(Verdict.DELIVERED).message)]

    def test_history_is_keyed_by_day_rule_and_identity(self, kit: Kit) -> None:
        kit.contacts.learn([a_fact(), a_fact()])
        kit.contacts.learn([a_fact(at=AT + timedelta(days=1))])
        days = [item["record"]["S"].split("#")[:3] for item in kit.history()]
        assert days == [["feedback", f"2026-03-0{day}", "bounce-permanent"] for day in (1, 2)]

    def test_history_expires_a_year_after_the_feedback(self, kit: Kit) -> None:
        """The attribute is in epoch seconds: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html."""
        kit.contacts.learn([a_fact()])
        [record] = kit.history()
        assert record["expires_at"] == {"N": str(int((AT + timedelta(days=365)).timestamp()))}

    def test_the_second_write_based_on_the_same_read_fails(self, kit: Kit) -> None:
        kit.contacts.learn([a_fact()])
        stored = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        mine, theirs = replace(stored, rev=2, synced="BOUNCE"), replace(stored, rev=2, synced="NONE")
        assert [kit.contacts.write(mine), kit.contacts.write(theirs)] == [None, CONDITION_FAILED]
        assert kit.item()["synced"] == {"S": "BOUNCE"}

    def test_a_write_fails_if_the_contact_was_created_since_it_was_read(self, kit: Kit) -> None:
        nothing = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        kit.contacts.learn([a_fact()])
        assert kit.contacts.write(replace(nothing, rev=1)) == CONDITION_FAILED
        assert kit.item()["status"] == {"S": "bounced"}

    def test_an_attribute_added_by_an_application_between_read_and_write_is_kept(self, kit: Kit) -> None:
        kit.contacts.learn([a_fact()])
        stored = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        kit.plant(kit.item() | {"note": {"S": "theirs"}})
        leased = replace(stored, rev=2, lease="worker")
        assert kit.contacts.write(leased) is None
        assert kit.contacts.write(without_lease(written(leased, LIMITS))) is None
        item = kit.item()
        assert (item["note"], item["rev"], "lease" in item) == ({"S": "theirs"}, {"N": "3"}, False)

    def test_only_contacts_that_may_not_be_sent_to_are_in_the_unsendable_index(self, kit: Kit) -> None:
        kit.contacts.learn(soft_bounce_days(1, 2, 3, 4, 5))
        suspended = kit.item()
        kit.contacts.learn([a_fact(Verdict.DELIVERED, on_day(6))])
        assert suspended["unsendable"] == {"S": f"suspended#{shard(RECIPIENT)}"}
        assert suspended["status_at"] == {"S": "2026-03-06T12:00:00.000Z"}
        assert {"unsendable", "status_at"} & kit.item().keys() == set()
        assert [suspended["may_send"], kit.item()["may_send"]] == [{"BOOL": False}, {"BOOL": True}]

    def test_a_bouncing_contact_is_not_in_the_unsendable_index(self, kit: Kit) -> None:
        kit.contacts.learn(soft_bounce_days(1))
        assert kit.item()["status_at"] == {"S": "2026-03-02T12:00:00.000Z"}
        assert "unsendable" not in kit.item()

    def test_a_contact_is_in_the_pending_index_until_it_is_in_sync(self, kit: Kit) -> None:
        kit.contacts.learn([a_fact()])
        changed = kit.item()
        kit.clock.sleep(60)
        kit.contacts.learn([a_fact(Verdict.COMPLAIN)])
        due = kit.item()
        stored = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        done = replace(
            stored, rev=3, list_pending=False, pending_since=None, published=stored.status, synced="COMPLAINT"
        )
        assert kit.contacts.write(done) is None
        assert changed["pending_shard"] == due["pending_shard"] == {"S": shard(RECIPIENT)}
        assert changed["pending_at"] == due["pending_at"] == {"S": "2026-03-02T12:00:00.000Z"}
        assert {"pending_shard", "pending_at"} & kit.item().keys() == set()

    def test_a_delivery_to_an_active_contact_is_not_pending(self, kit: Kit) -> None:
        kit.contacts.learn([a_fact(Verdict.DELIVERED)])
        assert "pending_shard" not in kit.item()

    def test_pending_contacts_are_returned_oldest_first_across_shards(self, kit: Kit) -> None:
        names = [f"contact-{number}@example.com" for number in range(20)]
        for name in names:
            kit.contacts.learn([a_fact(address=name)])
            kit.clock.sleep(1)
        before = kit.clock.now() - timedelta(seconds=10)
        assert [address for _, address in kit.contacts.find_pending(before)] == names[:11]
        assert next(kit.contacts.find_pending(before))[0] == kit.clock.now() - timedelta(seconds=20)

    @pytest.mark.parametrize("broken", [{}, {"rev": {"S": "1"}}, {"variants": {"S": "x"}}, {"status": {"S": "merry"}}])
    def test_an_unreadable_item_is_reported_and_never_overwritten(self, kit: Kit, broken: Item) -> None:
        """Other contacts are unaffected, and the history is stored."""
        item = {"address": {"S": RECIPIENT}, "record": {"S": "contact"}, **broken}
        kit.plant(item)
        failed: dict[str, str] = {}
        assert set(kit.contacts.read([RECIPIENT, OTHER], failed, consistent=True)) == {OTHER}
        assert failed == {RECIPIENT: "unreadable-contact"}
        assert kit.contacts.learn([a_fact(), a_fact(address=OTHER)]) == {RECIPIENT: "unreadable-contact"}
        assert (kit.item(), len(kit.history()), kit.item(OTHER)["status"]) == (item, 1, {"S": "bounced"})

    def test_an_attribute_of_an_application_is_kept(self, kit: Kit) -> None:
        kit.contacts.learn([a_fact()])
        kit.plant({**kit.item(), "customer": {"S": "42"}})
        kit.contacts.learn([a_fact(Verdict.COMPLAIN)])
        assert (kit.item()["customer"], kit.item()["status"]) == ({"S": "42"}, {"S": "complained"})

    def test_after_the_deadline_nothing_is_stored(self, kit: Kit) -> None:
        assert kit.contacts.learn([a_fact(), a_fact(address=OTHER)], kit.clock.now()) == {
            RECIPIENT: "out-of-time",
            OTHER: "out-of-time",
        }
        assert kit.items() == []

    def test_an_echo_is_published_without_a_list_call(self, kit: Kit) -> None:
        kit.contacts.learn([an_echo()])
        stored = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        assert (stored.status, stored.list_pending, stored.pending_since) == (Status.BOUNCED, False, kit.clock.now())

    def test_a_reinstated_contact_is_pending(self, kit: Kit) -> None:
        kit.contacts.learn([a_fact()])
        stored = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        assert kit.contacts.write(reinstated(stored, kit.clock.now(), LIMITS)) is None
        again = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        assert (again.status, again.list_pending, again.rev) == (Status.ACTIVE, True, 2)


# --- The suppression list -------------------------------------------------------------------------------------------


@dataclass
class ListKit:
    """A suppression list client, and direct access to the entries."""

    list: interfaces.ListEntries
    entries: Callable[[], dict[str, str]]


@contextmanager
def fake_list(*, sandbox: bool) -> Iterator[ListKit]:
    """Yield the fake."""
    fake = FakeSuppressionList(sandbox=sandbox)
    yield ListKit(fake, lambda: {address: reason.value for address, reason in fake.entries.items()})


@contextmanager
def ses_list(*, sandbox: bool) -> Iterator[ListKit]:
    """Yield the adapter."""
    with EmbeddedAws(ManualClock(), calls_per_second=None, sandbox=sandbox) as aws:
        listed = aws.suppression_list
        yield ListKit(
            SuppressionListClient(aws.client("sesv2")),
            lambda: {entry.email_address: entry.reason.value for entry in listed.entries()},
        )


@pytest.mark.parametrize("kind", [fake_list, ses_list], ids=["fake", "ses"])
class TestSuppressionList:
    """`FakeSuppressionList` and `SuppressionListClient`."""

    def test_the_list_contains_the_last_put_until_a_delete(self, kind: Any) -> None:  # noqa: ANN401 (a context manager function)
        with kind(sandbox=False) as kit:
            refusals = [kit.list.put(RECIPIENT, ListReason.BOUNCE), kit.list.put(RECIPIENT, ListReason.COMPLAINT)]
            assert kit.entries() == {RECIPIENT: "COMPLAINT"}
            refusals += [kit.list.delete(RECIPIENT), kit.list.delete(RECIPIENT)]
            assert (refusals, kit.entries()) == ([None] * 4, {})

    def test_variants_of_an_address_are_separate_entries(self, kind: Any) -> None:  # noqa: ANN401
        with kind(sandbox=False) as kit:
            kit.list.put("Recipient@example.com", ListReason.BOUNCE)
            kit.list.put(RECIPIENT, ListReason.BOUNCE)
            kit.list.delete(RECIPIENT)
            assert kit.entries() == {"Recipient@example.com": "BOUNCE"}

    def test_an_address_with_a_slash_can_be_put_but_not_deleted(self, kind: Any) -> None:  # noqa: ANN401
        with kind(sandbox=False) as kit:
            assert kit.list.put("either/or@example.com", ListReason.BOUNCE) is None
            assert kit.list.delete("either/or@example.com").kind is RefusalKind.REJECTED
            assert kit.entries() == {"either/or@example.com": "BOUNCE"}

    def test_an_address_of_the_mailbox_simulator_is_rejected(self, kind: Any) -> None:  # noqa: ANN401
        with kind(sandbox=False) as kit:
            assert kit.list.put("bounce@simulator.amazonses.com", ListReason.BOUNCE).kind is RefusalKind.REJECTED
            assert kit.entries() == {}

    def test_the_sandbox_accepts_deletions_only(self, kind: Any) -> None:  # noqa: ANN401
        with kind(sandbox=True) as kit:
            assert kit.list.put(RECIPIENT, ListReason.BOUNCE).kind is RefusalKind.REJECTED
            assert (kit.list.delete(RECIPIENT), kit.entries()) == (None, {})


# --- Publisher ------------------------------------------------------------------------------------------------------


def changes(number: int) -> list[StatusChange]:
    """Return a status change of each of `number` contacts."""
    return [
        StatusChange(f"{index}@example.com", Status.ACTIVE, Status.BOUNCED, 3, "Permanent/General", AT, "receipts")
        for index in range(number)
    ]


@pytest.fixture(params=["fake", "events"])
def publisher(request: pytest.FixtureRequest, aws: EmbeddedAws) -> tuple[Any, Callable[[], list[object]]]:
    """Each publisher, with a function that returns the published changes."""
    if request.param == "fake":
        fake = FakeEventPublisher()
        return fake, lambda: [change.detail() for change in fake.published]
    real = EventPublisher(aws.client("events"), aws.event_bus_name)
    return real, lambda: [event["detail"] for event in aws.events()]


@pytest.mark.parametrize("number", [0, 1, 10, 23])
def test_each_change_is_published_once_in_order(publisher: tuple[Any, Callable[[], list[object]]], number: int) -> None:
    kind, published = publisher
    assert kind.publish(changes(number)) == changes(number)
    assert published() == [change.detail() for change in changes(number)]


@pytest.mark.parametrize("kind", ["fake", "events"])
def test_no_change_is_published_while_the_bus_fails(kind: str, aws: EmbeddedAws) -> None:
    down = FakeEventPublisher()
    down.down = True
    failing = FaultyClient(aws.client("events"), default_fault=fails_with("InternalException"))
    publisher: interfaces.ContactEventPublisher = (
        down if kind == "fake" else EventPublisher(failing, aws.event_bus_name)
    )
    assert publisher.publish(changes(12)) == []


# --- Rate limiter ---------------------------------------------------------------------------------------------------


INTERVAL = timedelta(seconds=0.5)
"""Least time between two calls. An implementation may add a margin for clocks and networks."""


@pytest.fixture(params=["fake", "dynamodb"])
def rate_limiter(
    request: pytest.FixtureRequest, aws: EmbeddedAws
) -> tuple[ManualClock, Callable[[], interfaces.CallLimiter]]:
    """A clock, and a function that returns workers which share two calls per second."""
    clock = ManualClock()
    if request.param == "fake":
        fake = FakeRateLimiter(clock, rate=2)
        return clock, lambda: fake
    client = aws.client("dynamodb")
    return clock, lambda: RateLimiter(client, aws.table_name, 2, now=clock.now, sleep=clock.sleep)


def test_calls_of_all_workers_together_are_an_interval_apart(
    rate_limiter: tuple[ManualClock, Callable[[], interfaces.CallLimiter]],
) -> None:
    """The first call is permitted immediately."""
    clock, worker = rate_limiter
    start, workers = clock.now(), [worker(), worker()]
    moments = [start]
    for number in range(6):
        assert workers[number % 2].acquire(start + timedelta(hours=1)) is None
        moments.append(clock.now())
    first, *gaps = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert first == timedelta(0)
    assert {INTERVAL <= gap <= INTERVAL + INTERVAL / 8 for gap in gaps} == {True}


def test_unused_calls_do_not_accumulate(rate_limiter: tuple[ManualClock, Callable[[], interfaces.CallLimiter]]) -> None:
    clock, worker = rate_limiter
    worker().acquire(clock.now())
    clock.sleep(60)
    start = clock.now()
    for _ in range(2):
        assert worker().acquire(start + timedelta(hours=1)) is None
    assert INTERVAL <= clock.now() - start <= INTERVAL + INTERVAL / 8


def test_a_call_that_is_not_permitted_before_the_deadline_is_refused_at_once(
    rate_limiter: tuple[ManualClock, Callable[[], interfaces.CallLimiter]],
) -> None:
    """It uses up no permitted call."""
    clock, worker = rate_limiter
    start = clock.now()
    until = [start + timedelta(milliseconds=within) for within in (0, 400, 600)]
    assert [worker().acquire(until[0]), worker().acquire(until[1]), clock.now()] == [None, OUT_OF_TIME, start]
    assert worker().acquire(until[2]) is None


# --- Quarantine -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["fake", "sqs"])
def quarantine(
    request: pytest.FixtureRequest, aws: EmbeddedAws
) -> tuple[pipeline.QuarantineStore, Callable[[], list[QuarantinedMessage]]]:
    """Each quarantine, with a function that returns its messages."""
    if request.param == "fake":
        fake = FakeQuarantine()
        return fake, lambda: fake.messages
    return Quarantine(lambda: aws.client("sqs"), aws.quarantine_url), lambda: sorted(map(unpack, aws.quarantined()))


def unpack(message: Any) -> QuarantinedMessage:  # noqa: ANN401 (a QuarantinedMessage)
    """Return the message that a queue message contains."""
    return QuarantinedMessage(original_text(*message), message.attributes["reason"], message.attributes["source"])


TEXTS = ("{}", " spaces\n\tstay ", "", "\x00\x01", "\ud800", "\ufffe", "é" * 400_000, "x" * 3_000_000)


@pytest.mark.parametrize("original", TEXTS, ids=range(len(TEXTS)))
def test_any_text_is_stored_unchanged_with_its_reason_and_source(
    quarantine: tuple[pipeline.QuarantineStore, Callable[[], list[QuarantinedMessage]]], original: str
) -> None:
    store, messages = quarantine
    assert store.store(original, "not-json", "") == ""
    assert messages() == [QuarantinedMessage(original, "not-json", "unknown")]
