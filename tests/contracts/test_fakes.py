"""What every test with a fake rests on: the fakes and the real adapters keep the same contracts."""

import base64
import gzip
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import pytest

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
    """An embedded AWS that does not limit the rate of SES's calls."""
    with EmbeddedAws(ManualClock(), calls_per_second=None) as aws:
        yield aws


# --- Where contacts are kept ----------------------------------------------------------------------------------------


class Contacts(interfaces.PendingContacts, pipeline.FactStore, Protocol):
    """What both the list_sync and the pipeline want of it."""


@dataclass
class Kit:
    """A store, and what is beneath it."""

    contacts: Contacts
    clock: ManualClock
    items: Callable[[], list[Item]]
    plant: Callable[[Item], object]

    def item(self, address: str = RECIPIENT) -> Item:
        """Return the item of a contact."""
        [item] = [one for one in self.items() if one["address"]["S"] == address and one["record"]["S"] == "contact"]
        return item

    def history(self, address: str = RECIPIENT) -> list[Item]:
        """Return the history of a contact."""
        return [one for one in self.items() if one["address"]["S"] == address and one["record"]["S"] != "contact"]


@contextmanager
def fake_store() -> Iterator[Kit]:
    """Open the fake."""
    clock = ManualClock()
    fake = FakeContacts(LIMITS, now=clock.now)

    def items() -> list[Item]:
        return [*fake.items.values(), *(item for address in (RECIPIENT, OTHER) for item in fake.history(address))]

    yield Kit(fake, clock, items, lambda item: fake.items.update({item["address"]["S"]: item}))


@contextmanager
def dynamodb_store() -> Iterator[Kit]:
    """Open the real one."""
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
    """A store of each kind."""
    with request.param() as kit:
        yield kit


class TestContacts:
    """`FakeContacts` and `ContactRepository`."""

    def test_unknown_contact(self, kit: Kit) -> None:
        """An address without an item is read as an empty contact, not as an error."""
        failed: dict[str, str] = {}
        stored = kit.contacts.read([RECIPIENT], failed, consistent=True)[RECIPIENT]
        assert (stored.contact, stored.rev, failed) == (a_contact(), 0, {})

    def test_a_contact_asked_for_twice(self, kit: Kit) -> None:
        """DynamoDB refuses a read that names a key twice; the caller must avoid that."""
        failed: dict[str, str] = {}
        assert kit.contacts.read([RECIPIENT, OTHER, RECIPIENT], failed, consistent=True) == {}
        assert failed == dict.fromkeys([RECIPIENT, OTHER], "ValidationException")

    def test_facts_of_a_contact_are_one_write(self, kit: Kit) -> None:
        """All facts a batch holds about one contact are merged and written together."""
        facts = [a_fact(Verdict.SUPPRESS), a_fact(Verdict.COMPLAIN, on_day(2)), *soft_bounce_days(3, 4)]
        assert kit.contacts.learn(iter(facts)) == {}
        stored = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        assert (stored.contact, stored.rev, stored.status) == (a_contact(*facts), 1, Status.COMPLAINED)

    def test_learning_again_changes_nothing(self, kit: Kit) -> None:
        """The same facts once more leave the items as they are."""
        facts = [a_fact(), a_fact(Verdict.NOTE, on_day(3)), a_fact(Verdict.DELIVERED, on_day(4))]
        kit.contacts.learn(facts)
        before = kit.items()
        kit.clock.sleep(60)
        assert kit.contacts.learn(facts) == {}
        assert kit.items() == before

    def test_a_note_is_history_only(self, kit: Kit) -> None:
        """A verdict that touches no register makes no contact."""
        assert kit.contacts.learn([a_fact(Verdict.NOTE)]) == {}
        assert [item["verdict"]["S"] for item in kit.items()] == ["NOTE"]

    def test_a_delivery_is_no_history(self, kit: Kit) -> None:
        """Deliveries are too many for the history; the contact says the latest day."""
        assert kit.contacts.learn([a_fact(Verdict.DELIVERED)]) == {}
        assert [item["record"]["S"] for item in kit.items()] == ["contact"]
        assert [number["N"] for number in kit.item()["delivered"]["L"]] == [str(a_fact(Verdict.DELIVERED).message)]

    def test_history_is_keyed_by_the_feedback(self, kit: Kit) -> None:
        """A record's key is its day, its rule and its identity, so other feedback is another record."""
        kit.contacts.learn([a_fact(), a_fact()])
        kit.contacts.learn([a_fact(at=AT + timedelta(days=1))])
        days = [item["record"]["S"].split("#")[:3] for item in kit.history()]
        assert days == [["feedback", f"2026-03-0{day}", "bounce-permanent"] for day in (1, 2)]

    def test_history_expires(self, kit: Kit) -> None:
        """TTL counts from the feedback's own time, in epoch seconds."""
        kit.contacts.learn([a_fact()])
        [record] = kit.history()
        assert record["expires_at"] == {"N": str(int((AT + timedelta(days=365)).timestamp()))}

    def test_a_contact_written_since_is_not_overwritten(self, kit: Kit) -> None:
        """Of two that read the same contact, the second to write is told that it lost."""
        kit.contacts.learn([a_fact()])
        stored = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        mine, theirs = replace(stored, rev=2, synced="BOUNCE"), replace(stored, rev=2, synced="NONE")
        assert [kit.contacts.write(mine), kit.contacts.write(theirs)] == [None, CONDITION_FAILED]
        assert kit.item()["synced"] == {"S": "BOUNCE"}

    def test_a_contact_made_since_is_not_overwritten(self, kit: Kit) -> None:
        """Of two that found no contact, the second to write is told that it lost."""
        nothing = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        kit.contacts.learn([a_fact()])
        assert kit.contacts.write(replace(nothing, rev=1)) == CONDITION_FAILED
        assert kit.item()["status"] == {"S": "bounced"}

    def test_what_others_write_meanwhile_stays(self, kit: Kit) -> None:
        """An application adds an attribute of its own between a read and the two writes that rest on it."""
        kit.contacts.learn([a_fact()])
        stored = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        kit.plant(kit.item() | {"note": {"S": "theirs"}})
        leased = replace(stored, rev=2, lease="worker")
        assert kit.contacts.write(leased) is None
        assert kit.contacts.write(without_lease(written(leased, LIMITS))) is None
        item = kit.item()
        assert (item["note"], item["rev"], "lease" in item) == ({"S": "theirs"}, {"N": "3"}, False)

    def test_the_index_of_the_unsendable_is_sparse(self, kit: Kit) -> None:
        """A contact is in the index while it may not be sent to, under its status and since then."""
        kit.contacts.learn(soft_bounce_days(1, 2, 3, 4, 5))
        suspended = kit.item()
        kit.contacts.learn([a_fact(Verdict.DELIVERED, on_day(6))])
        assert suspended["unsendable"] == {"S": f"suspended#{shard(RECIPIENT)}"}
        assert suspended["status_at"] == {"S": "2026-03-06T12:00:00.000Z"}
        assert {"unsendable", "status_at"} & kit.item().keys() == set()
        assert [suspended["may_send"], kit.item()["may_send"]] == [{"BOOL": False}, {"BOOL": True}]

    def test_a_bouncing_contact_is_sendable(self, kit: Kit) -> None:
        """A contact that may be sent to is not in the index, although it has a status and its time."""
        kit.contacts.learn(soft_bounce_days(1))
        assert kit.item()["status_at"] == {"S": "2026-03-02T12:00:00.000Z"}
        assert "unsendable" not in kit.item()

    def test_the_index_of_the_due_is_sparse(self, kit: Kit) -> None:
        """A contact is in the index from its first change until nothing follows from it any more."""
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

    def test_a_delivery_to_a_known_contact_is_not_due(self, kit: Kit) -> None:
        """Nothing follows from a delivery to a contact in good standing."""
        kit.contacts.learn([a_fact(Verdict.DELIVERED)])
        assert "pending_shard" not in kit.item()

    def test_due_contacts_come_oldest_first(self, kit: Kit) -> None:
        """Whatever their shard, the longest waiting come first, and those after the given time not at all."""
        names = [f"contact-{number}@example.com" for number in range(20)]
        for name in names:
            kit.contacts.learn([a_fact(address=name)])
            kit.clock.sleep(1)
        before = kit.clock.now() - timedelta(seconds=10)
        assert [address for _, address in kit.contacts.find_pending(before)] == names[:11]
        assert next(kit.contacts.find_pending(before))[0] == kit.clock.now() - timedelta(seconds=20)

    @pytest.mark.parametrize("broken", [{}, {"rev": {"S": "1"}}, {"variants": {"S": "x"}}, {"status": {"S": "merry"}}])
    def test_an_item_that_is_no_contact(self, kit: Kit, broken: Item) -> None:
        """A foreign item under a contact's key is reported and never overwritten; other contacts are unaffected.

        What SES said is kept all the same.
        """
        item = {"address": {"S": RECIPIENT}, "record": {"S": "contact"}, **broken}
        kit.plant(item)
        failed: dict[str, str] = {}
        assert set(kit.contacts.read([RECIPIENT, OTHER], failed, consistent=True)) == {OTHER}
        assert failed == {RECIPIENT: "unreadable-contact"}
        assert kit.contacts.learn([a_fact(), a_fact(address=OTHER)]) == {RECIPIENT: "unreadable-contact"}
        assert (kit.item(), len(kit.history()), kit.item(OTHER)["status"]) == (item, 1, {"S": "bounced"})

    def test_what_others_wrote_on_a_contact_stays(self, kit: Kit) -> None:
        """An attribute that an application put on the contact survives what we learn."""
        kit.contacts.learn([a_fact()])
        kit.plant({**kit.item(), "customer": {"S": "42"}})
        kit.contacts.learn([a_fact(Verdict.COMPLAIN)])
        assert (kit.item()["customer"], kit.item()["status"]) == ({"S": "42"}, {"S": "complained"})

    def test_no_time_to_learn(self, kit: Kit) -> None:
        """What is not begun in time is left for another try."""
        assert kit.contacts.learn([a_fact(), a_fact(address=OTHER)], kit.clock.now()) == {
            RECIPIENT: "out-of-time",
            OTHER: "out-of-time",
        }
        assert kit.items() == []

    def test_an_echo_needs_no_call(self, kit: Kit) -> None:
        """A contact SES has on its list already is published, but the list is not due."""
        kit.contacts.learn([an_echo()])
        stored = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        assert (stored.status, stored.list_pending, stored.pending_since) == (Status.BOUNCED, False, kit.clock.now())

    def test_a_reinstated_contact_is_due(self, kit: Kit) -> None:
        """What reads and writes contacts itself may do so through the store, as the operator's command does."""
        kit.contacts.learn([a_fact()])
        stored = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        assert kit.contacts.write(reinstated(stored, kit.clock.now(), LIMITS)) is None
        again = kit.contacts.read([RECIPIENT], {}, consistent=True)[RECIPIENT]
        assert (again.status, again.list_pending, again.rev) == (Status.ACTIVE, True, 2)


# --- The suppression list -------------------------------------------------------------------------------------------


@dataclass
class ListKit:
    """A suppression list, and what it holds."""

    list: interfaces.ListEntries
    entries: Callable[[], dict[str, str]]


@contextmanager
def fake_list(*, sandbox: bool) -> Iterator[ListKit]:
    """Open the fake."""
    fake = FakeSuppressionList(sandbox=sandbox)
    yield ListKit(fake, lambda: {address: reason.value for address, reason in fake.entries.items()})


@contextmanager
def ses_list(*, sandbox: bool) -> Iterator[ListKit]:
    """Open the real one."""
    with EmbeddedAws(ManualClock(), calls_per_second=None, sandbox=sandbox) as aws:
        listed = aws.suppression_list
        yield ListKit(
            SuppressionListClient(aws.client("sesv2")),
            lambda: {entry.email_address: entry.reason.value for entry in listed.entries()},
        )


@pytest.mark.parametrize("kind", [fake_list, ses_list], ids=["fake", "ses"])
class TestSuppressionList:
    """`FakeSuppressionList` and `SuppressionListClient`."""

    def test_put_and_delete(self, kind: Any) -> None:  # noqa: ANN401 (a context manager function)
        """The list holds what was put last, and nothing after a deletion."""
        with kind(sandbox=False) as kit:
            answers = [kit.list.put(RECIPIENT, ListReason.BOUNCE), kit.list.put(RECIPIENT, ListReason.COMPLAINT)]
            assert kit.entries() == {RECIPIENT: "COMPLAINT"}
            answers += [kit.list.delete(RECIPIENT), kit.list.delete(RECIPIENT)]
            assert (answers, kit.entries()) == ([None] * 4, {})

    def test_every_spelling_is_an_entry(self, kind: Any) -> None:  # noqa: ANN401
        """The local part's case tells entries apart."""
        with kind(sandbox=False) as kit:
            kit.list.put("Recipient@example.com", ListReason.BOUNCE)
            kit.list.put(RECIPIENT, ListReason.BOUNCE)
            kit.list.delete(RECIPIENT)
            assert kit.entries() == {"Recipient@example.com": "BOUNCE"}

    def test_a_slash_can_be_put_but_not_deleted(self, kind: Any) -> None:  # noqa: ANN401
        """SES takes such an address and does not give it back."""
        with kind(sandbox=False) as kit:
            assert kit.list.put("either/or@example.com", ListReason.BOUNCE) is None
            assert kit.list.delete("either/or@example.com").kind is RefusalKind.REJECTED
            assert kit.entries() == {"either/or@example.com": "BOUNCE"}

    def test_the_simulator_is_refused(self, kind: Any) -> None:  # noqa: ANN401
        """A simulator address never gets on the list."""
        with kind(sandbox=False) as kit:
            assert kit.list.put("bounce@simulator.amazonses.com", ListReason.BOUNCE).kind is RefusalKind.REJECTED
            assert kit.entries() == {}

    def test_the_sandbox_takes_deletions_only(self, kind: Any) -> None:  # noqa: ANN401
        """An account in the sandbox can't put, but can delete."""
        with kind(sandbox=True) as kit:
            assert kit.list.put(RECIPIENT, ListReason.BOUNCE).kind is RefusalKind.REJECTED
            assert (kit.list.delete(RECIPIENT), kit.entries()) == (None, {})


# --- Who tells the outside world ------------------------------------------------------------------------------------


def changes(number: int) -> list[StatusChange]:
    """Return changes of so many contacts."""
    return [
        StatusChange(f"{one}@example.com", Status.ACTIVE, Status.BOUNCED, 3, "Permanent/General", AT, "receipts")
        for one in range(number)
    ]


@pytest.fixture(params=["fake", "events"])
def publisher(request: pytest.FixtureRequest, aws: EmbeddedAws) -> tuple[Any, Callable[[], list[object]]]:
    """An publisher of each kind, and what it published."""
    if request.param == "fake":
        fake = FakeEventPublisher()
        return fake, lambda: [change.detail() for change in fake.published]
    real = EventPublisher(aws.client("events"), aws.event_bus_name)
    return real, lambda: [event["detail"] for event in aws.events()]


@pytest.mark.parametrize("number", [0, 1, 10, 23])
def test_announcer(publisher: tuple[Any, Callable[[], list[object]]], number: int) -> None:
    """Every change is published once, in its order, and said to have been."""
    kind, published = publisher
    assert kind.publish(changes(number)) == changes(number)
    assert published() == [change.detail() for change in changes(number)]


@pytest.mark.parametrize("kind", ["fake", "events"])
def test_announcer_without_a_bus(kind: str, aws: EmbeddedAws) -> None:
    """If the event bus refuses all events, no change counts as published and nothing is raised."""
    down = FakeEventPublisher()
    down.down = True
    failing = FaultyClient(aws.client("events"), default_fault=fails_with("InternalException"))
    publisher: interfaces.StatusPublisher = down if kind == "fake" else EventPublisher(failing, aws.event_bus_name)
    assert publisher.publish(changes(12)) == []


# --- Whose turn it is -----------------------------------------------------------------------------------------------


INTERVAL = timedelta(seconds=0.5)
"""Between two rate_limiter; how much more a worker leaves for clocks and networks is its own business."""


@pytest.fixture(params=["fake", "dynamodb"])
def rate_limiter(
    request: pytest.FixtureRequest, aws: EmbeddedAws
) -> tuple[ManualClock, Callable[[], interfaces.CallLimiter]]:
    """A clock, and what makes workers that share rate_limiter at two a second."""
    clock = ManualClock()
    if request.param == "fake":
        fake = FakeRateLimiter(clock, rate=2)
        return clock, lambda: fake
    client = aws.client("dynamodb")
    return clock, lambda: RateLimiter(client, aws.table_name, 2, now=clock.now, sleep=clock.sleep)


def test_turns_are_an_interval_apart(rate_limiter: tuple[ManualClock, Callable[[], interfaces.CallLimiter]]) -> None:
    """The first reservation is due at once, each later one an interval after the previous, for all workers together."""
    clock, worker = rate_limiter
    start, workers = clock.now(), [worker(), worker()]
    moments = [start]
    for number in range(6):
        assert workers[number % 2].acquire(start + timedelta(hours=1)) is None
        moments.append(clock.now())
    first, *gaps = [later - sooner for sooner, later in itertools.pairwise(moments)]
    assert first == timedelta(0)
    assert {INTERVAL <= gap <= INTERVAL + INTERVAL / 8 for gap in gaps} == {True}


def test_turns_not_taken_do_not_add_up(rate_limiter: tuple[ManualClock, Callable[[], interfaces.CallLimiter]]) -> None:
    """After a pause, one turn comes at once and the next an interval later."""
    clock, worker = rate_limiter
    worker().acquire(clock.now())
    clock.sleep(60)
    start = clock.now()
    for _ in range(2):
        assert worker().acquire(start + timedelta(hours=1)) is None
    assert INTERVAL <= clock.now() - start <= INTERVAL + INTERVAL / 8


def test_no_turn_in_time(rate_limiter: tuple[ManualClock, Callable[[], interfaces.CallLimiter]]) -> None:
    """Who has no time for a turn is told at once, and the turn is left to others."""
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
    """A quarantine of each kind, and what it keeps."""
    if request.param == "fake":
        fake = FakeQuarantine()
        return fake, lambda: fake.messages
    return Quarantine(lambda: aws.client("sqs"), aws.quarantine_url), lambda: sorted(map(unpacked, aws.quarantined()))


def unpacked(message: Any) -> QuarantinedMessage:  # noqa: ANN401 (a QuarantinedMessage)
    """Return what was kept in a message of the queue."""
    body = message.body
    if message.attributes.get("encoding") == "gzip+base64":
        body = gzip.decompress(base64.b64decode(body)).decode("utf-8", "surrogatepass")
    return QuarantinedMessage(body, message.attributes["reason"], message.attributes["source"])


TEXTS = ("{}", " spaces\n\tstay ", "", "\x00\x01", "\ud800", "\ufffe", "é" * 400_000, "x" * 3_000_000)


@pytest.mark.parametrize("original", TEXTS, ids=range(len(TEXTS)))
def test_quarantine(
    quarantine: tuple[pipeline.QuarantineStore, Callable[[], list[QuarantinedMessage]]], original: str
) -> None:
    """Whatever the text, quarantine keeps it whole, with its reason and where it came from."""
    keeper, kept = quarantine
    assert keeper.store(original, "not-json", "") == ""
    assert kept() == [QuarantinedMessage(original, "not-json", "unknown")]
