"""ContactRepository: its number of DynamoDB calls, write conflicts, faults and history."""

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
    """The deployed functions and their AWS services, in memory."""
    with embedded_stack() as stack:
        yield stack


def calls_of(stack: EmbeddedStack) -> list[str]:
    """Return the operations called since the previous call of this function."""
    operations = [call.operation for call in stack.dynamodb.calls]
    stack.dynamodb.calls.clear()
    return operations


def facts_about(number: int, verdict: Verdict = Verdict.SUPPRESS) -> list[Fact]:
    """Return a fact about each of `number` contacts."""
    return [a_fact(verdict, address=f"contact-{one}@example.com") for one in range(number)]


# --- Number of calls ------------------------------------------------------------------------------------------------


def test_facts_about_one_contact_take_one_read_and_one_write(stack: EmbeddedStack) -> None:
    facts = [*soft_bounce_days(*range(20)), *(a_fact(Verdict.COMPLAIN, on_day(day)) for day in range(4))]
    assert stack.repository().learn(facts) == {}
    assert calls_of(stack) == ["batch_get_item", "batch_execute_statement"]
    assert stack.contact(RECIPIENT).contact == a_contact(*facts)


def test_101_contacts_take_two_reads_and_batches_of_25_statements(stack: EmbeddedStack) -> None:
    """Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html."""
    assert stack.repository().learn(facts_about(101)) == {}
    reads = [len(call.request["RequestItems"]["Contacts"]["Keys"]) for call in stack.dynamodb.calls[:2]]
    writes = [len(call.request["Statements"]) for call in stack.dynamodb.calls[2:]]
    assert (reads, writes) == ([100, 1], [25] * 8 + [2])
    assert len(stack.aws.contacts()) == 101


def test_a_second_delivery_on_a_day_writes_nothing(stack: EmbeddedStack) -> None:
    stack.learn(*facts_about(30, Verdict.DELIVERED))
    calls_of(stack)
    later = [replace(fact, at=fact.at + timedelta(hours=3)) for fact in facts_about(30, Verdict.DELIVERED)]
    assert stack.repository().learn(later) == {}
    assert calls_of(stack) == ["batch_get_item"]


def test_only_contacts_that_change_are_written(stack: EmbeddedStack) -> None:
    stack.learn(a_fact(), a_fact(address="known@example.com"))
    calls_of(stack)
    stack.learn(a_fact(), a_fact(Verdict.COMPLAIN, address="known@example.com"))
    [write] = [call for call in stack.dynamodb.calls if call.operation == "batch_execute_statement"]
    assert [key_of(statement) for statement in write.request["Statements"] if writes_contact(*key_of(statement))] == [
        ("known@example.com", "contact")
    ]


def test_a_fact_that_changes_no_contact_is_written_to_the_history_without_a_read(stack: EmbeddedStack) -> None:
    stack.learn(a_fact(Verdict.NOTE), a_fact(Verdict.COUNT), a_fact(Verdict.IGNORE))
    assert calls_of(stack) == ["batch_execute_statement"]


def test_learning_no_facts_makes_no_calls(stack: EmbeddedStack) -> None:
    assert stack.repository().learn([]) == {}
    assert calls_of(stack) == []


def test_the_first_read_is_eventually_consistent_and_the_read_after_a_conflict_strongly_consistent(
    stack: EmbeddedStack,
) -> None:
    stack.dynamodb.faults[1] = fails_statements("ConditionalCheckFailed")
    stack.learn(a_fact())
    consistent = [
        call.request["RequestItems"]["Contacts"]["ConsistentRead"]
        for call in stack.dynamodb.calls
        if call.operation == "batch_get_item"
    ]
    assert consistent == [False, True]


def test_contacts_are_written_concurrently_without_an_executor_of_the_caller(stack: EmbeddedStack) -> None:
    arrived = threading.Barrier(2, timeout=10)
    client = stack.dynamodb
    client.only, client.default_fault = "batch_execute_statement", runs_first(arrived.wait)
    table, now, sleep = stack.aws.table_name, stack.clock.now, stack.clock.sleep
    repository_with_own_threads = ContactRepository(client, table, Limits(), history_days=1, now=now, sleep=sleep)
    assert repository_with_own_threads.learn(facts_about(25)) == {}


def test_an_executor_with_several_threads_writes_every_contact(stack: EmbeddedStack) -> None:
    table, now, sleep = stack.aws.table_name, stack.clock.now, stack.clock.sleep
    with ThreadPoolExecutor(8) as executor:
        repository_with_executor = ContactRepository(
            stack.dynamodb, table, Limits(), history_days=1, now=now, sleep=sleep, executor=executor
        )
        assert repository_with_executor.learn(facts_about(40)) == {}
    assert len(stack.aws.contacts()) == 40


# --- Write conflicts ------------------------------------------------------------------------------------------------


def test_after_a_write_conflict_the_facts_are_merged_into_the_other_write(stack: EmbeddedStack) -> None:
    other = stack.repository(stack.aws.client("dynamodb"))
    complaint = a_fact(Verdict.COMPLAIN, on_day(2))
    stack.dynamodb.faults[1] = runs_first(lambda: other.learn([complaint]))
    assert stack.repository().learn([a_fact()]) == {}
    stored = stack.contact(RECIPIENT)
    assert (stored.contact, stored.rev, stored.status) == (a_contact(complaint, a_fact()), 2, Status.COMPLAINED)


def test_after_a_write_conflict_over_the_same_fact_nothing_is_written(stack: EmbeddedStack) -> None:
    other = stack.repository(stack.aws.client("dynamodb"))
    stack.dynamodb.faults[1] = runs_first(lambda: other.learn([a_fact()]))
    assert stack.repository().learn([a_fact()]) == {}
    assert (stack.contact(RECIPIENT).rev, stack.dynamodb.count("batch_execute_statement")) == (1, 1)


def test_only_contacts_with_a_write_conflict_are_read_again(stack: EmbeddedStack) -> None:
    conflicting = "contact-1@example.com", "contact"
    stack.dynamodb.faults[1] = fails_statements("DuplicateItem", lambda *key: key == conflicting)
    assert stack.repository().learn(facts_about(3)) == {}
    keys = [
        [key["address"]["S"] for key in call.request["RequestItems"]["Contacts"]["Keys"]]
        for call in stack.dynamodb.calls
        if call.operation == "batch_get_item"
    ]
    assert keys[1:] == [["contact-1@example.com"]]


def test_a_contact_with_a_conflict_in_every_round_is_reported_and_its_history_kept(stack: EmbeddedStack) -> None:
    client = stack.dynamodb
    client.only, client.default_fault = "batch_execute_statement", fails_statements("ConditionalCheckFailed")
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: "lost-every-race"}
    assert (len(client.calls), stack.aws.contacts(), len(stack.history(RECIPIENT))) == (ATTEMPTS, [], 1)


@pytest.mark.parametrize(("failing", "outcome"), [(2, None), (ATTEMPTS, "unprocessed")])
def test_a_throttled_write_is_retried_until_the_last_attempt(
    stack: EmbeddedStack, failing: int, outcome: str | None
) -> None:
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


def test_waits_between_rounds_grow(stack: EmbeddedStack) -> None:
    waits: list[float] = []
    client = stack.dynamodb
    client.only, client.default_fault = "batch_execute_statement", fails_statements("ConditionalCheckFailed")
    table, now = stack.aws.table_name, stack.clock.now
    ContactRepository(client, table, Limits(), history_days=1, now=now, sleep=waits.append).learn([a_fact()])
    longest = [min(1.0, 0.05 * 2**number) for number in range(ATTEMPTS - 1)]
    assert [round(wait / most, 1) >= 0.5 and wait <= most for wait, most in zip(waits, longest, strict=True)] == [
        True
    ] * 7


# --- Unprocessed keys and errors ------------------------------------------------------------------------------------


def test_only_unprocessed_keys_are_read_again(stack: EmbeddedStack) -> None:
    stack.learn(*facts_about(5))
    calls_of(stack)
    stack.dynamodb.faults = {0: leaves_unprocessed(2), 1: leaves_unprocessed(0), 2: leaves_unprocessed(1)}
    failed: dict[str, str] = {}
    names = [f"contact-{one}@example.com" for one in range(5)]
    found = stack.repository().read(names, failed, consistent=True)
    keys_per_read = [len(call.request["RequestItems"]["Contacts"]["Keys"]) for call in stack.dynamodb.calls]
    assert (sorted(found), failed, keys_per_read) == (names, {}, [5, 3, 3, 2])
    assert {stored.rev for stored in found.values()} == {1}


def test_keys_that_stay_unprocessed_are_reported_and_not_treated_as_unknown(stack: EmbeddedStack) -> None:
    stack.learn(*facts_about(3))
    calls_of(stack)
    client = stack.dynamodb
    client.only, client.faults, client.default_fault = (
        "batch_get_item",
        {0: leaves_unprocessed(1)},
        leaves_unprocessed(0),
    )
    failed = dict(stack.repository().learn(facts_about(3, Verdict.COMPLAIN)))
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
def test_only_statements_with_a_transient_error_are_retried(
    stack: EmbeddedStack, code: str, which: Callable[[str, str], bool]
) -> None:
    client = stack.dynamodb
    fails_two = fails_statements(code, lambda *key: which(*key) and key[0] != "contact-0@example.com")
    client.only, client.faults = "batch_execute_statement", {0: fails_two, 1: fails_statements(code, which)}
    assert stack.repository().learn(facts_about(3)) == {}
    assert [len(call.request["Statements"]) for call in client.calls] == [6, 2, 2]
    assert (len(stack.aws.contacts()), len(stack.items())) == (3, 6)


@pytest.mark.parametrize("which", [writes_contact, writes_history])
def test_contacts_whose_statements_keep_failing_are_reported_and_the_others_written(
    stack: EmbeddedStack, which: Callable[[str, str], bool]
) -> None:
    client = stack.dynamodb
    client.only = "batch_execute_statement"
    client.default_fault = fails_statements("ThrottlingError", lambda *key: which(*key) and key[0] != RECIPIENT)
    names = {"contact-0@example.com": "unprocessed", "contact-1@example.com": "unprocessed"}
    assert stack.repository().learn([a_fact(), *facts_about(2)]) == names
    assert (len(client.calls), len(stack.items())) == (ATTEMPTS, 6 - 2)


@pytest.mark.parametrize("which", [writes_contact, writes_history])
def test_a_statement_with_a_permanent_error_is_not_retried(
    stack: EmbeddedStack, which: Callable[[str, str], bool]
) -> None:
    client = stack.dynamodb
    client.only, client.default_fault = "batch_execute_statement", fails_statements("AccessDenied", which)
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: "AccessDenied"}
    assert len(client.calls) == 1


def test_an_error_without_a_code_is_reported_as_unknown(stack: EmbeddedStack) -> None:
    stack.dynamodb.only, stack.dynamodb.default_fault = "batch_execute_statement", fails_statements("")
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: "UnknownError"}


@pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
def test_if_a_batch_is_rejected_its_statements_are_executed_one_by_one(stack: EmbeddedStack, code: str) -> None:

    def reject_batch(operation: str, real: Callable[..., Any], request: dict[str, Any]) -> object:
        if any(key_of(one)[0] == RECIPIENT for one in request["Statements"]):
            fails_with(code)(operation, real, request)
        return real(**request)

    stack.dynamodb.only, stack.dynamodb.default_fault = "batch_execute_statement", reject_batch
    assert stack.repository().learn([*facts_about(2), a_fact()]) == {RECIPIENT: code}
    assert {item["address"]["S"] for item in stack.items()} == {"contact-0@example.com", "contact-1@example.com"}


def test_a_response_with_too_few_statements_is_malformed_for_all_of_them(stack: EmbeddedStack) -> None:

    def drop_first_response(_operation: str, real: Callable[..., Any], request: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = real(**request)
        return {**answer, "Responses": answer["Responses"][1:]}

    stack.dynamodb.only, stack.dynamodb.faults = "batch_execute_statement", {0: drop_first_response}
    failed = dict.fromkeys(("contact-0@example.com", "contact-1@example.com"), "MalformedResponseError")
    assert stack.repository().learn(facts_about(2)) == failed
    assert stack.repository().learn(facts_about(2)) == {}


def test_statements_not_begun_before_the_deadline_are_reported_as_unprocessed(stack: EmbeddedStack) -> None:
    until = stack.clock.now() + timedelta(seconds=1)
    stack.dynamodb.faults[0] = runs_first(lambda: stack.clock.sleep(2))
    stack.dynamodb.faults[1] = fails_statements(
        "ThrottlingError", lambda *key: key == ("contact-1@example.com", "contact")
    )
    assert stack.repository().learn(facts_about(2), until) == {"contact-1@example.com": "unprocessed"}
    assert (calls_of(stack), len(stack.aws.contacts())) == (["batch_get_item", "batch_execute_statement"], 1)


# --- Faults ---------------------------------------------------------------------------------------------------------

FAULTS: list[tuple[Fault, str]] = [
    (fails_with("ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"),
    (fails_with("InternalServerError"), "InternalServerError"),
    (times_out, "ReadTimeoutError"),
    (loses_response, "ReadTimeoutError"),
    (returns_garbage, "MalformedResponseError"),
]


@pytest.mark.parametrize(
    ("fault", "reason"), FAULTS, ids=["throttled", "broken", "timeout", "lost response", "malformed"]
)
@pytest.mark.parametrize("operation", ["batch_get_item", "batch_execute_statement"])
def test_a_failed_call_is_reported_for_its_contacts_and_the_next_attempt_completes_it(
    stack: EmbeddedStack, operation: str, fault: Fault, reason: str
) -> None:
    stack.dynamodb.only, stack.dynamodb.default_fault = operation, fault
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: reason}
    stack.dynamodb.default_fault = None
    assert stack.repository().learn([a_fact()]) == {}
    assert [item["rev"]["N"] for item in stack.aws.contacts()] == ["1"]
    assert [len(stack.history(RECIPIENT)), stack.contact(RECIPIENT).contact] == [1, a_contact(a_fact())]


MALFORMED_RESPONSES: list[tuple[str, dict[str, Any]]] = [
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


@pytest.mark.parametrize(("operation", "answer"), MALFORMED_RESPONSES)
def test_a_response_of_another_shape_is_malformed(stack: EmbeddedStack, operation: str, answer: dict[str, Any]) -> None:
    table = stack.settings.table_name
    response = json.loads(json.dumps(answer).replace("contacts", table))
    stack.dynamodb.only, stack.dynamodb.default_fault = operation, lambda *_: response
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: "MalformedResponseError"}


def test_an_error_code_with_invalid_characters_is_reported_as_unknown(stack: EmbeddedStack) -> None:
    """Codes are logged, and an invalid one may quote the request."""
    response = {"Responses": [{"Error": {"Code": f"no {RECIPIENT}"}}, {}]}
    stack.dynamodb.only, stack.dynamodb.default_fault = "batch_execute_statement", lambda *_: response
    assert stack.repository().learn([a_fact()]) == {RECIPIENT: "UnknownError"}


def test_the_fault_of_one_call_is_reported_for_its_contacts_only(stack: EmbeddedStack) -> None:
    stack.dynamodb.only, stack.dynamodb.faults = "batch_execute_statement", {0: times_out}
    reported = {f"contact-{one}@example.com": "ReadTimeoutError" for one in range(25)}
    assert stack.repository().learn(facts_about(30)) == reported
    assert [item["address"]["S"] for item in stack.aws.contacts()] == [
        f"contact-{one}@example.com" for one in range(25, 30)
    ]


def test_contacts_are_written_before_their_history(stack: EmbeddedStack) -> None:
    stack.repository().learn(facts_about(30))
    records = [key_of(one)[1] for call in stack.dynamodb.calls[1:] for one in call.request["Statements"]]
    assert [record == "contact" for record in records] == [True] * 30 + [False] * 30


@pytest.mark.parametrize("fault", [fails_with("InternalServerError"), times_out, returns_garbage])
def test_find_pending_raises_if_the_index_can_not_be_read(stack: EmbeddedStack, fault: Fault) -> None:
    stack.dynamodb.default_fault = fault
    with pytest.raises(AWS_ERRORS):
        list(stack.repository().find_pending(stack.clock.now()))


def test_an_unexpected_exception_is_raised_and_the_other_facts_can_be_learnt_again(stack: EmbeddedStack) -> None:
    broken = replace(a_fact(address="broken@example.com"), at=cast("Any", None))
    with pytest.raises(AttributeError):
        stack.repository().learn([a_fact(), broken])
    assert stack.repository().learn([a_fact()]) == {}


# --- Pending contacts -----------------------------------------------------------------------------------------------


def test_find_pending_reads_pages_on_demand_until_the_end_of_a_shard(stack: EmbeddedStack) -> None:
    stack.dynamodb.default_fault = lambda _, real, request: real(
        **{**request, **({"Limit": 1} if "Limit" in request else {})}
    )
    names = [f"contact-{number}@example.com" for number in range(24)]
    for name in names:
        stack.learn(a_fact(address=name))
        stack.clock.sleep(1)
    calls_of(stack)
    pending = stack.repository().find_pending(stack.clock.now())
    assert next(pending)[1] == names[0]
    assert stack.dynamodb.count("query") <= 17
    assert [address for _, address in pending] == names[1:]


def test_find_pending_skips_an_item_with_a_malformed_time(stack: EmbeddedStack) -> None:
    stack.learn(a_fact())
    item = {**stack.aws.contacts()[0], "address": {"S": "other@example.com"}, "pending_at": {"S": "0"}}
    stack.aws.client("dynamodb").put_item(TableName=stack.aws.table_name, Item=item)
    assert [address for _, address in stack.repository().find_pending(stack.clock.now())] == [RECIPIENT]


def test_the_list_sync_and_the_repository_have_the_same_constants() -> None:
    assert (interfaces.READ_AT_ONCE, interfaces.LOST_RACE) == (repository.READ_AT_ONCE, repository.LOST_RACE)


# --- History --------------------------------------------------------------------------------------------------------


def test_a_history_record_has_the_details_of_the_event_without_empty_fields(stack: EmbeddedStack) -> None:
    stack.learn(a_fact())
    [record] = stack.history(RECIPIENT)
    fields = {name: value["S"] for name, value in record.items() if name not in {"record", "expires_at"}}
    assert fields == {
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
def test_feedback_with_another_identity_is_a_second_history_record(stack: EmbeddedStack, other: Fact) -> None:
    stack.learn(a_fact(), other)
    assert len(stack.history(RECIPIENT)) == 2


def test_the_same_feedback_from_another_carrier_keeps_the_first_history_record(stack: EmbeddedStack) -> None:
    stack.learn(a_fact(), replace(a_fact(), configuration_set="other"))
    stack.learn(replace(a_fact(), reason="Permanent/NoEmail"))
    [record] = stack.history(RECIPIENT)
    assert (record["configuration_set"], record["reason"]) == ({"S": "receipts"}, {"S": "Permanent/General"})


def test_history_expires_after_the_configured_days(stack: EmbeddedStack) -> None:
    stack.settings = dataclasses.replace(stack.settings, history_days=3)
    stack.learn(a_fact())
    [record] = stack.history(RECIPIENT)
    assert int(record["expires_at"]["N"]) == int((AT + timedelta(days=3)).timestamp())
