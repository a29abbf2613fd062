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
from tests.support.deployed_functions import EmbeddedStack, embedded_stack
from tests.support.faulty_client import (
    Fault,
    fails_statements,
    fails_with,
    key_of,
    leaves_unprocessed,
    loses_response,
    returns_garbage,
    runs_first,
    times_out,
    writes_contact,
    writes_history,
)


@pytest.fixture
def stack() -> Iterator[EmbeddedStack]:
    """A world."""
    with embedded_stack() as stack:
        yield stack


def calls_of(stack: EmbeddedStack) -> list[str]:
    """Return the operations called since the last time, and forget them."""
    operations = [call.operation for call in stack.dynamodb.calls]
    stack.dynamodb.calls.clear()
    return operations


def many(number: int, verdict: Verdict = Verdict.SUPPRESS) -> list[Fact]:
    """Return a fact about each of so many contacts."""
    return [a_fact(verdict, address=f"contact-{one}@example.com") for one in range(number)]


# --- As few calls as it can -----------------------------------------------------------------------------------------


def test_facts_of_one_contact_are_one_read_and_one_write(stack: EmbeddedStack) -> None:
    """Two dozen facts about one contact are merged before anything is written."""
    facts = [*soft_bounce_days(*range(20)), *(a_fact(Verdict.COMPLAIN, on_day(day)) for day in range(4))]
    assert stack.repository().learn(facts) == {}
    assert calls_of(stack) == ["batch_get_item", "batch_execute_statement"]
    assert stack.contact(RECIPIENT).contact == a_contact(*facts)


def test_more_contacts_than_one_read_takes(stack: EmbeddedStack) -> None:
    """DynamoDB reads a hundred contacts at once and carries out twenty-five statements."""
    assert stack.repository().learn(many(101)) == {}
    reads = [len(call.request["RequestItems"]["Contacts"]["Keys"]) for call in stack.dynamodb.calls[:2]]
    writes = [len(call.request["Statements"]) for call in stack.dynamodb.calls[2:]]
    assert (reads, writes) == ([100, 1], [25] * 8 + [2])
    assert len(stack.aws.contacts()) == 101


def test_deliveries_to_known_contacts_write_nothing(stack: EmbeddedStack) -> None:
    """Any number of deliveries on a day that already had one cost one read."""
    stack.learn(*many(30, Verdict.DELIVERED))
    calls_of(stack)
    later = [replace(fact, at=fact.at + timedelta(hours=3)) for fact in many(30, Verdict.DELIVERED)]
    assert stack.repository().learn(later) == {}
    assert calls_of(stack) == ["batch_get_item"]


def test_only_changed_contacts_are_written(stack: EmbeddedStack) -> None:
    """Of a batch's contacts, those that learn nothing are left alone."""
    stack.learn(a_fact(), a_fact(address="known@example.com"))
    calls_of(stack)
    stack.learn(a_fact(), a_fact(Verdict.COMPLAIN, address="known@example.com"))
    [write] = [call for call in stack.dynamodb.calls if call.operation == "batch_execute_statement"]
    assert [key_of(statement) for statement in write.request["Statements"] if writes_contact(*key_of(statement))] == [
        ("known@example.com", "contact")
    ]


def test_a_note_reads_no_contact(stack: EmbeddedStack) -> None:
    """What changes no contact is written to its history without a look at it."""
    stack.learn(a_fact(Verdict.NOTE), a_fact(Verdict.COUNT), a_fact(Verdict.IGNORE))
    assert calls_of(stack) == ["batch_execute_statement"]


def test_nothing_to_learn(stack: EmbeddedStack) -> None:
    """No facts, no calls."""
    assert stack.repository().learn([]) == {}
    assert calls_of(stack) == []


def test_the_first_read_may_be_stale_and_the_next_may_not(stack: EmbeddedStack) -> None:
    """The first read is the cheap kind; after a lost race it is the kind that sees the other's write."""
    stack.dynamodb.faults[1] = fails_statements("ConditionalCheckFailed")
    stack.learn(a_fact())
    consistent = [
        call.request["RequestItems"]["Contacts"]["ConsistentRead"]
        for call in stack.dynamodb.calls
        if call.operation == "batch_get_item"
    ]
    assert consistent == [False, True]


def test_writes_go_side_by_side(stack: EmbeddedStack) -> None:
    """Without an executor of the caller's, contacts are written by several threads of the store's own."""
    arrived = threading.Barrier(2, timeout=10)
    client = stack.dynamodb
    client.only, client.default_fault = "batch_execute_statement", runs_first(arrived.wait)
    table, now, sleep = stack.aws.table_name, stack.clock.now, stack.clock.sleep
    plain = ContactRepository(client, table, Limits(), history_days=1, now=now, sleep=sleep)
    assert plain.learn(many(25)) == {}


def test_many_threads_write_every_contact(stack: EmbeddedStack) -> None:
    """What one thread writes, no other loses."""
    table, now, sleep = stack.aws.table_name, stack.clock.now, stack.clock.sleep
    with ThreadPoolExecutor(8) as executor:
        pooled = ContactRepository(
            stack.dynamodb, table, Limits(), history_days=1, now=now, sleep=sleep, executor=executor
        )
        assert pooled.learn(many(40)) == {}
    assert len(stack.aws.contacts()) == 40


# --- Races ----------------------------------------------------------------------------------------------------------


def test_a_lost_race_merges(stack: EmbeddedStack) -> None:
    """Who loses a race reads what the other wrote and adds its own to it."""
    other = stack.repository(stack.aws.client("dynamodb"))
    complaint = a_fact(Verdict.COMPLAIN, on_day(2))
    stack.dynamodb.faults[1] = runs_first(lambda: other.learn([complaint]))
    assert stack.repository().learn([a_fact()]) == {}
    stored = stack.contact(RECIPIENT)
    assert (stored.contact, stored.rev, stored.status) == (a_contact(complaint, a_fact()), 2, Status.COMPLAINED)


def test_a_lost_race_with_the_same_fact(stack: EmbeddedStack) -> None:
    """Who loses a race to the same fact has nothing more to write."""
    other = stack.repository(stack.aws.client("dynamodb"))
    stack.dynamodb.faults[1] = runs_first(lambda: other.learn([a_fact()]))
    assert stack.repository().learn([a_fact()]) == {}
    assert (stack.contact(RECIPIENT).rev, stack.dynamodb.count("batch_execute_statement")) == (1, 1)


def test_only_the_losers_are_read_again(stack: EmbeddedStack) -> None:
    """The contacts of a batch that were written are done with."""
    loser = "contact-1@example.com", "contact"
    stack.dynamodb.faults[1] = fails_statements("DuplicateItem", lambda *key: key == loser)
    assert stack.repository().learn(many(3)) == {}
    keys = [
        [key["address"]["S"] for key in call.request["RequestItems"]["Contacts"]["Keys"]]
        for call in stack.dynamodb.calls
        if call.operation == "batch_get_item"
    ]
    assert keys[1:] == [["contact-1@example.com"]]


def test_who_loses_every_race_gives_up(stack: EmbeddedStack) -> None:
    """A contact that others write all the time is left for another try; what SES said is kept."""
    client = stack.dynamodb
    client.only, client.default_fault = "batch_execute_statement", fails_statements("ConditionalCheckFailed")
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: "lost-every-race"}
    assert (len(client.calls), stack.aws.contacts(), len(stack.history(RECIPIENT))) == (ATTEMPTS, [], 1)


@pytest.mark.parametrize(("failing", "outcome"), [(2, None), (ATTEMPTS, "unprocessed")])
def test_a_single_write_that_is_throttled_is_made_again(
    stack: EmbeddedStack, failing: int, outcome: str | None
) -> None:
    """A statement that DynamoDB throttles is made again, as a call would be, and in the end left for another run."""
    stack.learn(a_fact())
    stored = stack.contact(RECIPIENT)
    client = stack.dynamodb
    client.calls.clear()
    client.only, client.faults = (
        "batch_execute_statement",
        dict.fromkeys(range(failing), fails_statements("ThrottlingError")),
    )
    assert stack.repository().write(replace(stored, rev=2, synced="BOUNCE")) == outcome
    assert len(client.calls) == min(failing + 1, ATTEMPTS)


def test_losers_wait_a_little_longer_each_time(stack: EmbeddedStack) -> None:
    """Waits between the rounds grow, so that many writers of one contact get out of each other's way."""
    naps: list[float] = []
    losing = stack.dynamodb
    losing.only, losing.default_fault = "batch_execute_statement", fails_statements("ConditionalCheckFailed")
    table, now = stack.aws.table_name, stack.clock.now
    ContactRepository(losing, table, Limits(), history_days=1, now=now, sleep=naps.append).learn([a_fact()])
    longest = [min(1.0, 0.05 * 2**number) for number in range(ATTEMPTS - 1)]
    assert [round(nap / most, 1) >= 0.5 and nap <= most for nap, most in zip(naps, longest, strict=True)] == [True] * 7


# --- What DynamoDB leaves undone ------------------------------------------------------------------------------------


def test_unprocessed_keys_are_asked_for_again(stack: EmbeddedStack) -> None:
    """Only the keys that were left out are asked for again, until none is."""
    stack.learn(*many(5))
    calls_of(stack)
    stack.dynamodb.faults = {0: leaves_unprocessed(2), 1: leaves_unprocessed(0), 2: leaves_unprocessed(1)}
    failed: dict[str, str] = {}
    names = [f"contact-{one}@example.com" for one in range(5)]
    found = stack.repository().read(names, failed, consistent=True)
    asked = [len(call.request["RequestItems"]["Contacts"]["Keys"]) for call in stack.dynamodb.calls]
    assert (sorted(found), failed, asked) == (names, {}, [5, 3, 3, 2])
    assert {stored.rev for stored in found.values()} == {1}


def test_keys_that_stay_unprocessed(stack: EmbeddedStack) -> None:
    """Contacts that DynamoDB does not give are reported, never taken for unknown."""
    stack.learn(*many(3))
    calls_of(stack)
    client = stack.dynamodb
    client.only, client.faults, client.default_fault = (
        "batch_get_item",
        {0: leaves_unprocessed(1)},
        leaves_unprocessed(0),
    )
    failed = dict(stack.repository().learn(many(3, Verdict.COMPLAIN)))
    assert failed == {"contact-1@example.com": "unprocessed", "contact-2@example.com": "unprocessed"}
    statuses = [stack.contact(f"contact-{one}@example.com").status for one in range(3)]
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
@pytest.mark.parametrize("which", [writes_contact, writes_history])
def test_statements_that_fail_for_now_are_made_again(
    stack: EmbeddedStack, code: str, which: Callable[[str, str], bool]
) -> None:
    """Only the statements that failed are made again, until none does."""
    client = stack.dynamodb
    fails_two = fails_statements(code, lambda *key: which(*key) and key[0] != "contact-0@example.com")
    client.only, client.faults = "batch_execute_statement", {0: fails_two, 1: fails_statements(code, which)}
    assert stack.repository().learn(many(3)) == {}
    assert [len(call.request["Statements"]) for call in client.calls] == [6, 2, 2]
    assert (len(stack.aws.contacts()), len(stack.items())) == (3, 6)


@pytest.mark.parametrize("which", [writes_contact, writes_history])
def test_statements_that_keep_failing(stack: EmbeddedStack, which: Callable[[str, str], bool]) -> None:
    """The contacts that could not be written, or whose history could not, are reported; the rest stays written."""
    client = stack.dynamodb
    client.only = "batch_execute_statement"
    client.default_fault = fails_statements("ThrottlingError", lambda *key: which(*key) and key[0] != RECIPIENT)
    names = {"contact-0@example.com": "unprocessed", "contact-1@example.com": "unprocessed"}
    assert stack.repository().learn([a_fact(), *many(2)]) == names
    assert (len(client.calls), len(stack.items())) == (ATTEMPTS, 6 - 2)


@pytest.mark.parametrize("which", [writes_contact, writes_history])
def test_a_statement_that_fails_for_good_is_made_once(stack: EmbeddedStack, which: Callable[[str, str], bool]) -> None:
    """What no other try would help is reported at once."""
    client = stack.dynamodb
    client.only, client.default_fault = "batch_execute_statement", fails_statements("AccessDenied", which)
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: "AccessDenied"}
    assert len(client.calls) == 1


def test_an_error_that_names_none(stack: EmbeddedStack) -> None:
    """An error is an error, also one without a code."""
    stack.dynamodb.only, stack.dynamodb.default_fault = "batch_execute_statement", fails_statements("")
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: "UnknownError"}


@pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
def test_a_batch_refused_for_the_sake_of_one(stack: EmbeddedStack, code: str) -> None:
    """When DynamoDB refuses all statements of a call, each is made by itself: one contact's trouble is its own."""

    def refuse(operation: str, real: Callable[..., Any], request: dict[str, Any]) -> object:
        if any(key_of(one)[0] == RECIPIENT for one in request["Statements"]):
            fails_with(code)(operation, real, request)
        return real(**request)

    stack.dynamodb.only, stack.dynamodb.default_fault = "batch_execute_statement", refuse
    assert stack.repository().learn([*many(2), a_fact()]) == {RECIPIENT: code}
    assert {item["address"]["S"] for item in stack.items()} == {"contact-0@example.com", "contact-1@example.com"}


def test_an_answer_for_each_statement(stack: EmbeddedStack) -> None:
    """An answer that leaves out statements proves nothing for any of them."""

    def too_few(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = real(**request)
        return {**answer, "Responses": answer["Responses"][1:]}

    stack.dynamodb.only, stack.dynamodb.faults = "batch_execute_statement", {0: too_few}
    failed = dict.fromkeys(("contact-0@example.com", "contact-1@example.com"), "MalformedResponseError")
    assert stack.repository().learn(many(2)) == failed
    assert stack.repository().learn(many(2)) == {}


def test_what_is_not_begun_in_time_is_left(stack: EmbeddedStack) -> None:
    """What was begun in time is carried out once, and not again."""
    until = stack.clock.now() + timedelta(seconds=1)
    stack.dynamodb.faults[0] = runs_first(lambda: stack.clock.sleep(2))
    stack.dynamodb.faults[1] = fails_statements(
        "ThrottlingError", lambda *key: key == ("contact-1@example.com", "contact")
    )
    assert stack.repository().learn(many(2), until) == {"contact-1@example.com": "unprocessed"}
    assert (calls_of(stack), len(stack.aws.contacts())) == (["batch_get_item", "batch_execute_statement"], 1)


# --- Faults ---------------------------------------------------------------------------------------------------------

FAULTS: list[tuple[Fault, str]] = [
    (fails_with("ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"),
    (fails_with("InternalServerError"), "InternalServerError"),
    (times_out, "ReadTimeoutError"),
    (loses_response, "ReadTimeoutError"),
    (returns_garbage, "MalformedResponseError"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS, ids=["throttled", "broken", "timeout", "lost answer", "garbled"])
@pytest.mark.parametrize("operation", ["batch_get_item", "batch_execute_statement"])
def test_a_fault_is_a_reason_and_no_more(stack: EmbeddedStack, operation: str, fault: Fault, reason: str) -> None:
    """A fault of a call is reported for the contacts of that call, and the next try does what it left undone."""
    stack.dynamodb.only, stack.dynamodb.default_fault = operation, fault
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: reason}
    stack.dynamodb.default_fault = None
    assert stack.repository().learn([a_fact()]) == {}
    assert [item["rev"]["N"] for item in stack.aws.contacts()] == ["1"]
    assert [len(stack.history(RECIPIENT)), stack.contact(RECIPIENT).contact] == [1, a_contact(a_fact())]


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
def test_an_answer_of_another_shape_is_somebody_elses(
    stack: EmbeddedStack, operation: str, answer: dict[str, Any]
) -> None:
    """It is a fault like any other, and no bug of ours for which messages would be set aside."""
    table = stack.settings.table_name
    told = json.loads(json.dumps(answer).replace("contacts", table))
    stack.dynamodb.only, stack.dynamodb.default_fault = operation, lambda *_: told
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: "MalformedResponseError"}


def test_a_statements_code_is_told_only_where_it_is_one(stack: EmbeddedStack) -> None:
    """Codes are logged, and whoever answers in DynamoDB's stead may quote the request."""
    said = {"Responses": [{"Error": {"Code": f"no {RECIPIENT}"}}, {}]}
    stack.dynamodb.only, stack.dynamodb.default_fault = "batch_execute_statement", lambda *_: said
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: "UnknownError"}


def test_one_calls_fault_is_nobody_elses(stack: EmbeddedStack) -> None:
    """Of a batch, only the contacts of the call that failed are reported; the others have contact and history."""
    stack.dynamodb.only, stack.dynamodb.faults = "batch_execute_statement", {0: times_out}
    reported = {f"contact-{one}@example.com": "ReadTimeoutError" for one in range(25)}
    assert stack.repository().learn(many(30)) == reported
    assert [item["address"]["S"] for item in stack.aws.contacts()] == [
        f"contact-{one}@example.com" for one in range(25, 30)
    ]


def test_contacts_are_written_before_history(stack: EmbeddedStack) -> None:
    """What stops the mail comes first."""
    stack.repository().learn(many(30))
    records = [key_of(one)[1] for call in stack.dynamodb.calls[1:] for one in call.request["Statements"]]
    assert [record == "contact" for record in records] == [True] * 30 + [False] * 30


@pytest.mark.parametrize("fault", [fails_with("InternalServerError"), times_out, returns_garbage])
def test_who_asks_what_is_due_is_told_of_a_fault(stack: EmbeddedStack, fault: Fault) -> None:
    """A sweep that can't read the index must not take that for nothing being due."""
    stack.dynamodb.default_fault = fault
    with pytest.raises(AWS_ERRORS):
        list(stack.repository().find_pending(stack.clock.now()))


def test_a_bug_is_no_fault(stack: EmbeddedStack) -> None:
    """A fact the store chokes on is its caller's to deal with; the others can be learnt without it."""
    choking = replace(a_fact(address="choking@example.com"), at=cast("Any", None))
    with pytest.raises(AttributeError):
        stack.repository().learn([a_fact(), choking])
    assert stack.repository().learn([a_fact()]) == {}


# --- What is due ----------------------------------------------------------------------------------------------------


def test_due_contacts_come_page_by_page(stack: EmbeddedStack) -> None:
    """A shard that holds more than a page is read to its end, and only as far as it is asked for."""
    stack.dynamodb.default_fault = lambda _, real, request: real(
        **{**request, **({"Limit": 1} if "Limit" in request else {})}
    )
    names = [f"contact-{number}@example.com" for number in range(24)]
    for name in names:
        stack.learn(a_fact(address=name))
        stack.clock.sleep(1)
    calls_of(stack)
    due = stack.repository().find_pending(stack.clock.now())
    assert next(due)[1] == names[0]
    assert stack.dynamodb.count("query") <= 17
    assert [address for _, address in due] == names[1:]


def test_a_due_time_that_can_not_be_read(stack: EmbeddedStack) -> None:
    """When somebody wrote nonsense on an item, the others are due all the same."""
    stack.learn(a_fact())
    item = {**stack.aws.contacts()[0], "address": {"S": "other@example.com"}, "pending_at": {"S": "0"}}
    stack.aws.client("dynamodb").put_item(TableName=stack.aws.table_name, Item=item)
    assert [address for _, address in stack.repository().find_pending(stack.clock.now())] == [RECIPIENT]


def test_settings_of_the_mirror_and_the_store_agree() -> None:
    """What the list_sync asks of its contacts at once is what DynamoDB reads at once; a lost race is called the same."""
    assert (interfaces.READ_AT_ONCE, interfaces.LOST_RACE) == (repository.READ_AT_ONCE, repository.LOST_RACE)


# --- History --------------------------------------------------------------------------------------------------------


def test_history_says_what_ses_said(stack: EmbeddedStack) -> None:
    """A record has SES's own words, the verdict and the rule that gave it; what SES did not say is left out."""
    stack.learn(a_fact())
    [record] = stack.history(RECIPIENT)
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
def test_other_feedback_is_another_record(stack: EmbeddedStack, other: Fact) -> None:
    """Feedback that differs in what identifies it is kept beside the first."""
    stack.learn(a_fact(), other)
    assert len(stack.history(RECIPIENT)) == 2


def test_the_same_feedback_in_another_wrapping_is_one_record(stack: EmbeddedStack) -> None:
    """Of what differs only in what does not identify it the first is kept, in one batch or in two."""
    stack.learn(a_fact(), replace(a_fact(), configuration_set="other"))
    stack.learn(replace(a_fact(), reason="Permanent/NoEmail"))
    [record] = stack.history(RECIPIENT)
    assert (record["configuration_set"], record["reason"]) == ({"S": "receipts"}, {"S": "Permanent/General"})


def test_history_days(stack: EmbeddedStack) -> None:
    """How long history is kept is the stack's choice."""
    stack.settings = dataclasses.replace(stack.settings, history_days=3)
    stack.learn(a_fact())
    [record] = stack.history(RECIPIENT)
    assert int(record["expires_at"]["N"]) == int((AT + timedelta(days=3)).timestamp())
