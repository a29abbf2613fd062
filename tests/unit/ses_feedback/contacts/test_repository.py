"""ContactRepository makes as few calls of DynamoDB as it can, and believes none that says nothing."""

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, cast

import pytest

from ses_feedback.aws.errors import AWS_ERRORS
from ses_feedback.contacts import repository
from ses_feedback.contacts.repository import ATTEMPTS, ContactRepository
from ses_feedback.contacts.status import Limits, Status
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.suppression import interfaces
from tests.support.builders import AT, RECIPIENT, a_contact, a_fact, on_day, soft_bounce_days
from tests.support.deployed_functions import World, a_world
from tests.support.faulty_client import (
    Fault,
    fails_statements,
    first,
    garbles,
    key_of,
    leaves_unprocessed,
    loses_the_answer,
    of_contacts,
    of_history,
    refuses,
    times_out,
)


@pytest.fixture
def world() -> Iterator[World]:
    """A world."""
    with a_world() as world:
        yield world


def calls_of(world: World) -> list[str]:
    """Return the operations called since the last time, and forget them."""
    operations = [call.operation for call in world.dynamodb.calls]
    world.dynamodb.calls.clear()
    return operations


def many(number: int, verdict: Verdict = Verdict.SUPPRESS) -> list[Fact]:
    """Return a fact about each of so many contacts."""
    return [a_fact(verdict, address=f"contact-{one}@example.com") for one in range(number)]


# --- As few calls as it can -----------------------------------------------------------------------------------------


def test_facts_of_one_contact_are_one_read_and_one_write(world: World) -> None:
    """Two dozen facts about one contact are merged before anything is written."""
    facts = [*soft_bounce_days(*range(20)), *(a_fact(Verdict.COMPLAIN, on_day(day)) for day in range(4))]
    assert world.store().learn(facts) == {}
    assert calls_of(world) == ["batch_get_item", "batch_execute_statement"]
    assert world.contact(RECIPIENT).contact == a_contact(*facts)


def test_more_contacts_than_one_read_takes(world: World) -> None:
    """DynamoDB reads a hundred contacts at once and carries out twenty-five statements."""
    assert world.store().learn(many(101)) == {}
    reads = [len(call.request["RequestItems"]["Contacts"]["Keys"]) for call in world.dynamodb.calls[:2]]
    writes = [len(call.request["Statements"]) for call in world.dynamodb.calls[2:]]
    assert (reads, writes) == ([100, 1], [25] * 8 + [2])
    assert len(world.aws.contacts()) == 101


def test_deliveries_to_known_contacts_write_nothing(world: World) -> None:
    """Any number of deliveries on a day that already had one cost one read."""
    world.learn(*many(30, Verdict.DELIVERED))
    calls_of(world)
    later = [replace(fact, at=fact.at + timedelta(hours=3)) for fact in many(30, Verdict.DELIVERED)]
    assert world.store().learn(later) == {}
    assert calls_of(world) == ["batch_get_item"]


def test_only_changed_contacts_are_written(world: World) -> None:
    """Of a batch's contacts, those that learn nothing are left alone."""
    world.learn(a_fact(), a_fact(address="known@example.com"))
    calls_of(world)
    world.learn(a_fact(), a_fact(Verdict.COMPLAIN, address="known@example.com"))
    [write] = [call for call in world.dynamodb.calls if call.operation == "batch_execute_statement"]
    assert [key_of(statement) for statement in write.request["Statements"] if of_contacts(*key_of(statement))] == [
        ("known@example.com", "contact")
    ]


def test_a_note_reads_no_contact(world: World) -> None:
    """What changes no contact is written to its history without a look at it."""
    world.learn(a_fact(Verdict.NOTE), a_fact(Verdict.COUNT), a_fact(Verdict.IGNORE))
    assert calls_of(world) == ["batch_execute_statement"]


def test_nothing_to_learn(world: World) -> None:
    """No facts, no calls."""
    assert world.store().learn([]) == {}
    assert calls_of(world) == []


def test_the_first_read_may_be_stale_and_the_next_may_not(world: World) -> None:
    """The first read is the cheap kind; after a lost race it is the kind that sees the other's write."""
    world.dynamodb.faults[1] = fails_statements("ConditionalCheckFailed")
    world.learn(a_fact())
    consistent = [
        call.request["RequestItems"]["Contacts"]["ConsistentRead"]
        for call in world.dynamodb.calls
        if call.operation == "batch_get_item"
    ]
    assert consistent == [False, True]


def test_writes_go_side_by_side(world: World) -> None:
    """Without an executor of the caller's, contacts are written by several threads of the store's own."""
    arrived = threading.Barrier(2, timeout=10)
    client = world.dynamodb
    client.only, client.otherwise = "batch_execute_statement", first(arrived.wait)
    table, now, sleep = world.aws.table_name, world.clock.now, world.clock.sleep
    plain = ContactRepository(client, table, Limits(), history_days=1, now=now, sleep=sleep)
    assert plain.learn(many(25)) == {}


def test_many_threads_write_every_contact(world: World) -> None:
    """What one thread writes, no other loses."""
    table, now, sleep = world.aws.table_name, world.clock.now, world.clock.sleep
    with ThreadPoolExecutor(8) as executor:
        pooled = ContactRepository(
            world.dynamodb, table, Limits(), history_days=1, now=now, sleep=sleep, executor=executor
        )
        assert pooled.learn(many(40)) == {}
    assert len(world.aws.contacts()) == 40


# --- Races ----------------------------------------------------------------------------------------------------------


def test_a_lost_race_merges(world: World) -> None:
    """Who loses a race reads what the other wrote and adds its own to it."""
    other = world.store(world.aws.client("dynamodb"))
    complaint = a_fact(Verdict.COMPLAIN, on_day(2))
    world.dynamodb.faults[1] = first(lambda: other.learn([complaint]))
    assert world.store().learn([a_fact()]) == {}
    stored = world.contact(RECIPIENT)
    assert (stored.contact, stored.rev, stored.status) == (a_contact(complaint, a_fact()), 2, Status.COMPLAINED)


def test_a_lost_race_with_the_same_fact(world: World) -> None:
    """Who loses a race to the same fact has nothing more to write."""
    other = world.store(world.aws.client("dynamodb"))
    world.dynamodb.faults[1] = first(lambda: other.learn([a_fact()]))
    assert world.store().learn([a_fact()]) == {}
    assert (world.contact(RECIPIENT).rev, world.dynamodb.count("batch_execute_statement")) == (1, 1)


def test_only_the_losers_are_read_again(world: World) -> None:
    """The contacts of a batch that were written are done with."""
    loser = "contact-1@example.com", "contact"
    world.dynamodb.faults[1] = fails_statements("DuplicateItem", lambda *key: key == loser)
    assert world.store().learn(many(3)) == {}
    keys = [
        [key["address"]["S"] for key in call.request["RequestItems"]["Contacts"]["Keys"]]
        for call in world.dynamodb.calls
        if call.operation == "batch_get_item"
    ]
    assert keys[1:] == [["contact-1@example.com"]]


def test_who_loses_every_race_gives_up(world: World) -> None:
    """A contact that others write all the time is left for another try; what SES said is kept."""
    client = world.dynamodb
    client.only, client.otherwise = "batch_execute_statement", fails_statements("ConditionalCheckFailed")
    assert world.store().learn([a_fact()]) == {RECIPIENT: "lost-every-race"}
    assert (len(client.calls), world.aws.contacts(), len(world.history(RECIPIENT))) == (ATTEMPTS, [], 1)


@pytest.mark.parametrize(("failing", "outcome"), [(2, None), (ATTEMPTS, "unprocessed")])
def test_a_single_write_that_is_throttled_is_made_again(world: World, failing: int, outcome: str | None) -> None:
    """A statement that DynamoDB throttles is made again, as a call would be, and in the end left for another run."""
    world.learn(a_fact())
    stored = world.contact(RECIPIENT)
    client = world.dynamodb
    client.calls.clear()
    client.only, client.faults = (
        "batch_execute_statement",
        dict.fromkeys(range(failing), fails_statements("ThrottlingError")),
    )
    assert world.store().write(replace(stored, rev=2, synced="BOUNCE")) == outcome
    assert len(client.calls) == min(failing + 1, ATTEMPTS)


def test_losers_wait_a_little_longer_each_time(world: World) -> None:
    """Waits between the rounds grow, so that many writers of one contact get out of each other's way."""
    naps: list[float] = []
    losing = world.dynamodb
    losing.only, losing.otherwise = "batch_execute_statement", fails_statements("ConditionalCheckFailed")
    table, now = world.aws.table_name, world.clock.now
    ContactRepository(losing, table, Limits(), history_days=1, now=now, sleep=naps.append).learn([a_fact()])
    longest = [min(1.0, 0.05 * 2**number) for number in range(ATTEMPTS - 1)]
    assert [round(nap / most, 1) >= 0.5 and nap <= most for nap, most in zip(naps, longest, strict=True)] == [True] * 7


# --- What DynamoDB leaves undone ------------------------------------------------------------------------------------


def test_unprocessed_keys_are_asked_for_again(world: World) -> None:
    """Only the keys that were left out are asked for again, until none is."""
    world.learn(*many(5))
    calls_of(world)
    world.dynamodb.faults = {0: leaves_unprocessed(2), 1: leaves_unprocessed(0), 2: leaves_unprocessed(1)}
    failed: dict[str, str] = {}
    names = [f"contact-{one}@example.com" for one in range(5)]
    found = world.store().read(names, failed, consistent=True)
    asked = [len(call.request["RequestItems"]["Contacts"]["Keys"]) for call in world.dynamodb.calls]
    assert (sorted(found), failed, asked) == (names, {}, [5, 3, 3, 2])
    assert {stored.rev for stored in found.values()} == {1}


def test_keys_that_stay_unprocessed(world: World) -> None:
    """Contacts that DynamoDB does not give are reported, never taken for unknown."""
    world.learn(*many(3))
    calls_of(world)
    client = world.dynamodb
    client.only, client.faults, client.otherwise = "batch_get_item", {0: leaves_unprocessed(1)}, leaves_unprocessed(0)
    failed = dict(world.store().learn(many(3, Verdict.COMPLAIN)))
    assert failed == {"contact-1@example.com": "unprocessed", "contact-2@example.com": "unprocessed"}
    statuses = [world.contact(f"contact-{one}@example.com").status for one in range(3)]
    assert statuses == [Status.COMPLAINED, Status.BOUNCED, Status.BOUNCED]


@pytest.mark.parametrize(
    "code",
    [
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
        "TransactionConflict",
    ],
)
@pytest.mark.parametrize("which", [of_contacts, of_history])
def test_statements_that_fail_for_now_are_made_again(
    world: World, code: str, which: Callable[[str, str], bool]
) -> None:
    """Only the statements that failed are made again, until none does."""
    client = world.dynamodb
    fails_two = fails_statements(code, lambda *key: which(*key) and key[0] != "contact-0@example.com")
    client.only, client.faults = "batch_execute_statement", {0: fails_two, 1: fails_statements(code, which)}
    assert world.store().learn(many(3)) == {}
    assert [len(call.request["Statements"]) for call in client.calls] == [6, 2, 2]
    assert (len(world.aws.contacts()), len(world.items())) == (3, 6)


@pytest.mark.parametrize("which", [of_contacts, of_history])
def test_statements_that_keep_failing(world: World, which: Callable[[str, str], bool]) -> None:
    """The contacts that could not be written, or whose history could not, are reported; the rest stays written."""
    client = world.dynamodb
    client.only = "batch_execute_statement"
    client.otherwise = fails_statements("ThrottlingError", lambda *key: which(*key) and key[0] != RECIPIENT)
    names = {"contact-0@example.com": "unprocessed", "contact-1@example.com": "unprocessed"}
    assert world.store().learn([a_fact(), *many(2)]) == names
    assert (len(client.calls), len(world.items())) == (ATTEMPTS, 6 - 2)


@pytest.mark.parametrize("which", [of_contacts, of_history])
def test_a_statement_that_fails_for_good_is_made_once(world: World, which: Callable[[str, str], bool]) -> None:
    """What no other try would help is reported at once."""
    client = world.dynamodb
    client.only, client.otherwise = "batch_execute_statement", fails_statements("AccessDenied", which)
    assert world.store().learn([a_fact()]) == {RECIPIENT: "AccessDenied"}
    assert len(client.calls) == 1


def test_an_error_that_names_none(world: World) -> None:
    """An error is an error, also one without a code."""
    world.dynamodb.only, world.dynamodb.otherwise = "batch_execute_statement", fails_statements("")
    assert world.store().learn([a_fact()]) == {RECIPIENT: "UnknownError"}


@pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
def test_a_batch_refused_for_the_sake_of_one(world: World, code: str) -> None:
    """When DynamoDB refuses all statements of a call, each is made by itself: one contact's trouble is its own."""

    def refuse(operation: str, real: Callable[..., Any], request: dict[str, Any]) -> object:
        if any(key_of(one)[0] == RECIPIENT for one in request["Statements"]):
            refuses(code)(operation, real, request)
        return real(**request)

    world.dynamodb.only, world.dynamodb.otherwise = "batch_execute_statement", refuse
    assert world.store().learn([*many(2), a_fact()]) == {RECIPIENT: code}
    assert {item["address"]["S"] for item in world.items()} == {"contact-0@example.com", "contact-1@example.com"}


def test_an_answer_for_each_statement(world: World) -> None:
    """An answer that leaves out statements proves nothing for any of them."""

    def too_few(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = real(**request)
        return {**answer, "Responses": answer["Responses"][1:]}

    world.dynamodb.only, world.dynamodb.faults = "batch_execute_statement", {0: too_few}
    failed = dict.fromkeys(("contact-0@example.com", "contact-1@example.com"), "MalformedResponseError")
    assert world.store().learn(many(2)) == failed
    assert world.store().learn(many(2)) == {}


def test_what_is_not_begun_in_time_is_left(world: World) -> None:
    """What was begun in time is carried out once, and not again."""
    until = world.clock.now() + timedelta(seconds=1)
    world.dynamodb.faults[0] = first(lambda: world.clock.sleep(2))
    world.dynamodb.faults[1] = fails_statements(
        "ThrottlingError", lambda *key: key == ("contact-1@example.com", "contact")
    )
    assert world.store().learn(many(2), until) == {"contact-1@example.com": "unprocessed"}
    assert (calls_of(world), len(world.aws.contacts())) == (["batch_get_item", "batch_execute_statement"], 1)


# --- Faults ---------------------------------------------------------------------------------------------------------

FAULTS: list[tuple[Fault, str]] = [
    (refuses("ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"),
    (refuses("InternalServerError"), "InternalServerError"),
    (times_out, "ReadTimeoutError"),
    (loses_the_answer, "ReadTimeoutError"),
    (garbles, "MalformedResponseError"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS, ids=["throttled", "broken", "timeout", "lost answer", "garbled"])
@pytest.mark.parametrize("operation", ["batch_get_item", "batch_execute_statement"])
def test_a_fault_is_a_reason_and_no_more(world: World, operation: str, fault: Fault, reason: str) -> None:
    """A fault of a call is reported for the contacts of that call, and the next try does what it left undone."""
    world.dynamodb.only, world.dynamodb.otherwise = operation, fault
    assert world.store().learn([a_fact()]) == {RECIPIENT: reason}
    world.dynamodb.otherwise = None
    assert world.store().learn([a_fact()]) == {}
    assert [item["rev"]["N"] for item in world.aws.contacts()] == ["1"]
    assert [len(world.history(RECIPIENT)), world.contact(RECIPIENT).contact] == [1, a_contact(a_fact())]


OTHERS_ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("batch_get_item", {"Responses": None, "UnprocessedKeys": {}}),
    ("batch_get_item", {"Responses": [], "UnprocessedKeys": {}}),
    ("batch_get_item", {"Responses": {}, "UnprocessedKeys": []}),
    ("batch_get_item", {"Responses": {"contacts": [None]}, "UnprocessedKeys": {}}),
    ("batch_get_item", {"Responses": {"contacts": [{"address": RECIPIENT}]}, "UnprocessedKeys": {}}),
    ("batch_get_item", {"Responses": {}, "UnprocessedKeys": {"contacts": {"Keys": ["a"]}}}),
    ("batch_get_item", {"Responses": {"contacts": [{}]}}),
    ("batch_execute_statement", {"Responses": None}),
    ("batch_execute_statement", {"Responses": {"0": {}, "1": {}}}),
    ("batch_execute_statement", {"Responses": [None, {}]}),
    ("batch_execute_statement", {"Responses": [{"Error": "x"}, {}]}),
]


@pytest.mark.parametrize(("operation", "answer"), OTHERS_ANSWERS)
def test_an_answer_of_another_shape_is_somebody_elses(world: World, operation: str, answer: dict[str, Any]) -> None:
    """It is a fault like any other, and no bug of ours for which messages would be set aside."""
    table = world.settings.table_name
    told = json.loads(json.dumps(answer).replace("contacts", table))
    world.dynamodb.only, world.dynamodb.otherwise = operation, lambda *_: told
    assert world.store().learn([a_fact()]) == {RECIPIENT: "MalformedResponseError"}


def test_a_statements_code_is_told_only_where_it_is_one(world: World) -> None:
    """Codes are logged, and whoever answers in DynamoDB's stead may quote the request."""
    said = {"Responses": [{"Error": {"Code": f"no {RECIPIENT}"}}, {}]}
    world.dynamodb.only, world.dynamodb.otherwise = "batch_execute_statement", lambda *_: said
    assert world.store().learn([a_fact()]) == {RECIPIENT: "UnknownError"}


def test_one_calls_fault_is_nobody_elses(world: World) -> None:
    """Of a batch, only the contacts of the call that failed are reported; the others have contact and history."""
    world.dynamodb.only, world.dynamodb.faults = "batch_execute_statement", {0: times_out}
    reported = {f"contact-{one}@example.com": "ReadTimeoutError" for one in range(25)}
    assert world.store().learn(many(30)) == reported
    assert [item["address"]["S"] for item in world.aws.contacts()] == [
        f"contact-{one}@example.com" for one in range(25, 30)
    ]


def test_contacts_are_written_before_history(world: World) -> None:
    """What stops the mail comes first."""
    world.store().learn(many(30))
    records = [key_of(one)[1] for call in world.dynamodb.calls[1:] for one in call.request["Statements"]]
    assert [record == "contact" for record in records] == [True] * 30 + [False] * 30


@pytest.mark.parametrize("fault", [refuses("InternalServerError"), times_out, garbles])
def test_who_asks_what_is_due_is_told_of_a_fault(world: World, fault: Fault) -> None:
    """A sweep that can't read the index must not take that for nothing being due."""
    world.dynamodb.otherwise = fault
    with pytest.raises(AWS_ERRORS):
        list(world.store().find_pending(world.clock.now()))


def test_a_bug_is_no_fault(world: World) -> None:
    """A fact the store chokes on is its caller's to deal with; the others can be learnt without it."""
    choking = replace(a_fact(address="choking@example.com"), at=cast("Any", None))
    with pytest.raises(AttributeError):
        world.store().learn([a_fact(), choking])
    assert world.store().learn([a_fact()]) == {}


# --- What is due ----------------------------------------------------------------------------------------------------


def test_due_contacts_come_page_by_page(world: World) -> None:
    """A shard that holds more than a page is read to its end, and only as far as it is asked for."""
    world.dynamodb.otherwise = lambda _, real, request: real(
        **{**request, **({"Limit": 1} if "Limit" in request else {})}
    )
    names = [f"contact-{number}@example.com" for number in range(24)]
    for name in names:
        world.learn(a_fact(address=name))
        world.clock.sleep(1)
    calls_of(world)
    due = world.store().find_pending(world.clock.now())
    assert next(due)[1] == names[0]
    assert world.dynamodb.count("query") <= 17
    assert [address for _, address in due] == names[1:]


def test_a_due_time_that_can_not_be_read(world: World) -> None:
    """When somebody wrote nonsense on an item, the others are due all the same."""
    world.learn(a_fact())
    item = {**world.aws.contacts()[0], "address": {"S": "other@example.com"}, "pending_at": {"S": "0"}}
    world.aws.client("dynamodb").put_item(TableName=world.aws.table_name, Item=item)
    assert [address for _, address in world.store().find_pending(world.clock.now())] == [RECIPIENT]


def test_settings_of_the_mirror_and_the_store_agree() -> None:
    """What the list_sync asks of its contacts at once is what DynamoDB reads at once; a lost race is called the same."""
    assert (interfaces.READ_AT_ONCE, interfaces.LOST_RACE) == (repository.READ_AT_ONCE, repository.LOST_RACE)


# --- History --------------------------------------------------------------------------------------------------------


def test_history_says_what_ses_said(world: World) -> None:
    """A record has SES's own words, the verdict and the rule that gave it; what SES did not say is left out."""
    world.learn(a_fact())
    [record] = world.history(RECIPIENT)
    said = {name: value["S"] for name, value in record.items() if name not in {"record", "expires_at"}}
    assert said == {
        "address": RECIPIENT,
        "at": "2026-03-01T12:00:05.000Z",
        "verdict": "SUPPRESS",
        "rule": "bounce-permanent",
        "reason": "Permanent/General",
        "configuration_set": "receipts",
        "kind": "Bounce",
        "type": "Permanent",
        "sub_type": "General",
        "message_id": a_fact().details.message_id,
        "feedback_id": a_fact().details.feedback_id,
    }


@pytest.mark.parametrize(
    "other",
    [
        replace(a_fact(), at=AT + timedelta(milliseconds=1)),
        replace(a_fact(), rule="bounce-transient"),
        replace(a_fact(), details=replace(a_fact().details, message_id="other")),
        replace(a_fact(), details=replace(a_fact().details, feedback_id="other")),
        replace(a_fact(), details=replace(a_fact().details, kind="Complaint")),
    ],
    ids=["time", "rule", "message", "feedback", "kind"],
)
def test_other_feedback_is_another_record(world: World, other: Fact) -> None:
    """Feedback that differs in what identifies it is kept beside the first."""
    world.learn(a_fact(), other)
    assert len(world.history(RECIPIENT)) == 2


def test_the_same_feedback_in_another_wrapping_is_one_record(world: World) -> None:
    """Of what differs only in what does not identify it the first is kept, in one batch or in two."""
    world.learn(a_fact(), replace(a_fact(), configuration_set="other"))
    world.learn(replace(a_fact(), reason="Permanent/NoEmail"))
    [record] = world.history(RECIPIENT)
    assert (record["configuration_set"], record["reason"]) == ({"S": "receipts"}, {"S": "Permanent/General"})


def test_history_days(world: World) -> None:
    """How long history is kept is the stack's choice."""
    world.settings = dataclasses.replace(world.settings, history_days=3)
    world.learn(a_fact())
    [record] = world.history(RECIPIENT)
    assert int(record["expires_at"]["N"]) == int((AT + timedelta(days=3)).timestamp())
