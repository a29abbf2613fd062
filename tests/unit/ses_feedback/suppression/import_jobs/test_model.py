"""What is kept of import jobs, whom they lease, and what is written into their objects."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ses_feedback.contacts.contact import KEPT_VARIANTS, Contact
from ses_feedback.contacts.record import ContactRecord, Item, without_lease
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import ListReason
from ses_feedback.suppression.entries import entries_of, is_importable, object_lines, synced_values
from ses_feedback.suppression.import_jobs.model import (
    IMPORT_LEASE_DURATION,
    KEY,
    MAX_ENTRIES,
    PAUSE,
    Action,
    ImportJob,
    Ledger,
    Stage,
    decode,
    encode,
    lease_name,
    leased_for_import,
    paused,
)
from tests.support.builders import AT, RECIPIENT, START, a_contact, a_fact, on_day

ONE = ImportJob("import-worker-0", Action.PUT, AT, START)
RUNNING = replace(ONE, stage=Stage.RUNNING, entries=7, job_id="job-1")
OTHER = ImportJob("import-worker-1", Action.DELETE, on_day(1), AT, Stage.LOST, 2)
ITEM: Item = {
    "address": {"S": "suppression-list"},
    "record": {"S": "imports"},
    "rev": {"N": "4"},
    "jobs": {
        "L": [
            {
                "M": {
                    "name": {"S": "import-worker-0"},
                    "action": {"S": "PUT"},
                    "started_at": {"S": "2026-03-01T12:00:05.000Z"},
                    "pending_since": {"S": "2026-03-01T12:00:00.000Z"},
                    "stage": {"S": "running"},
                    "entries": {"N": "7"},
                    "job_id": {"S": "job-1"},
                }
            }
        ]
    },
    "paused_until": {"S": "2026-03-02T12:00:00.000Z"},
}
WAITING = ContactRecord(a_contact(a_fact()), rev=3, list_pending=True, pending_since=START)


def test_the_numbers_are_those_of_ses_and_of_the_design() -> None:
    """The developer guide, the runbook and the alarms name them."""
    assert MAX_ENTRIES == {"PUT": 100_000, "DELETE": 10_000}
    assert (timedelta(hours=3), timedelta(hours=1)) == (IMPORT_LEASE_DURATION, PAUSE)


# --- The ledger -----------------------------------------------------------------------------------------------------


def test_the_ledger_has_an_item_of_its_own() -> None:
    """Under a key that is nobody's address."""
    assert KEY == {"address": {"S": "suppression-list"}, "record": {"S": "imports"}}


def test_stages_have_the_names_that_the_item_has() -> None:
    """The next release reads what this one wrote."""
    assert [stage.value for stage in Stage] == ["leasing", "creating", "running", "abandoned", "lost"]


def test_an_import_begins_with_its_claims() -> None:
    """SES knows nothing of it, so it has no job and no entries."""
    assert (ONE.stage, ONE.entries, ONE.job_id) == (Stage.LEASING, 0, "")


def test_an_empty_ledger() -> None:
    """Nothing was ever written."""
    assert Ledger(0, (), None) == Ledger() == decode(None)


def test_a_ledger_is_written() -> None:
    """As every release can read it."""
    assert encode(Ledger(4, (RUNNING,), on_day(1))) == ITEM


def test_a_ledger_is_read() -> None:
    """As it was written."""
    assert Ledger(4, (RUNNING,), on_day(1)) == decode(ITEM)


def test_who_need_not_rest_has_no_time_to_rest_until() -> None:
    """DynamoDB knows no empty time."""
    ledger = Ledger(1, (OTHER, RUNNING))
    item = encode(ledger)
    assert ("paused_until" in item, decode(item)) == (False, ledger)


@pytest.mark.parametrize("name", ["rev", "jobs"])
def test_a_ledger_lacks_something(name: str) -> None:
    """Somebody else wrote the item: nothing is begun, and nothing of it is guessed."""
    with pytest.raises(ValueError, match="runbook"):
        decode({key: value for key, value in ITEM.items() if key != name})


@pytest.mark.parametrize("name", ImportJob.__struct_fields__)
def test_an_import_lacks_something(name: str) -> None:
    """Each of its fields is always written."""
    one = {key: value for key, value in ITEM["jobs"]["L"][0]["M"].items() if key != name}
    with pytest.raises(ValueError, match="runbook"):
        decode(ITEM | {"jobs": {"L": [{"M": one}]}})


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("jobs", {"L": None}),
        ("jobs", {"S": "none"}),
        ("jobs", {"L": [{"M": ITEM["jobs"]["L"][0]["M"] | {"stage": {"S": "done"}}}]}),
        ("rev", {"N": None}),
        ("rev", {"N": "many"}),
        ("paused_until", {"S": "tomorrow"}),
    ],
)
def test_a_ledger_is_not_one(name: str, wrong: dict[str, Any]) -> None:
    """Whatever somebody wrote there, it is one error."""
    with pytest.raises(ValueError, match=r"."):
        decode(ITEM | {name: wrong})


def test_a_ledger_holds_one_import_of_a_name() -> None:
    """The later takes the place of the earlier, and the others stay."""
    ledger = Ledger(2, (ONE, OTHER), AT)
    assert Ledger(2, (OTHER, RUNNING), AT) == ledger.with_job(RUNNING)
    assert Ledger(2, (OTHER,), AT) == ledger.without(ONE.name)
    assert Ledger().with_job(ONE).with_job(OTHER) == Ledger(jobs=(ONE, OTHER))


def test_after_a_failure_there_is_a_rest() -> None:
    """Of an hour; what is under way goes on."""
    assert Ledger(2, (ONE,), AT + timedelta(hours=1)) == paused(Ledger(2, (ONE,)), AT)


# --- Claims ---------------------------------------------------------------------------------------------------------


def test_a_claim_names_the_import_and_the_revision() -> None:
    """By what all its leases begin with, an import finds its own, and not those of one whose name goes on."""
    assert (lease_name(ONE, 4), lease_name(ONE, 0), lease_name(ONE)) == (
        "import-worker-0#4",
        "import-worker-0#0",
        f"{ONE.name}#",
    )


def test_a_claimed_contact_is_passed_by_while_the_claim_holds() -> None:
    """The lease is of the revision with which it is written; what the contact waits for, it waits for still."""
    until = AT + timedelta(hours=3)
    expected = replace(WAITING, rev=4, lease="import-worker-0#4", leased_until=until, retry_at=until)
    assert expected == leased_for_import(ONE, WAITING)
    assert [leased_for_import(ONE, WAITING).is_pending(when) for when in (until - timedelta(seconds=1), until)] == [
        False,
        True,
    ]


def test_whose_list_entry_is_due_is_known_from_the_claim() -> None:
    """A contact that only the outside world was to hear of is leased for the list, too."""
    assert leased_for_import(ONE, replace(WAITING, list_pending=False)).list_pending


def test_who_is_let_go_of_is_due_at_once() -> None:
    """One revision later, and otherwise as before the lease."""
    assert replace(WAITING, rev=5) == without_lease(leased_for_import(ONE, WAITING))


# --- Objects --------------------------------------------------------------------------------------------------------

SPELT = a_contact(a_fact(address="Recipient@example.com"), a_fact(address="RECIPIENT@example.com"))


def test_every_spelling_is_an_entry() -> None:
    """SES keeps each of them apart."""
    both = ("RECIPIENT@example.com", "Recipient@example.com")
    assert both == entries_of(SPELT, ListReason.BOUNCE)
    assert (*both, RECIPIENT) == entries_of(SPELT, None)


def test_who_was_never_spelt_is_an_entry() -> None:
    """As an operator named the address; it is never deleted twice."""
    assert [entries_of(Contact(RECIPIENT), wanted) for wanted in (ListReason.COMPLAINT, None)] == [(RECIPIENT,)] * 2
    assert entries_of(a_contact(a_fact()), None) == (RECIPIENT,)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((), True),
        (("ann@example.com", "o'hara+tag@example.com"), True),
        (("ann@example.com", '"odd one"@example.com'), False),
        (("ünal@example.com", "ann@example.com"), False),
        (("bounce@simulator.amazonses.com",), False),
        (("simulator.amazonses.com@example.com", "ann@notsimulator.amazonses.com"), True),
    ],
)
def test_what_ses_may_refuse_is_not_imported(entries: tuple[str, ...], expected: bool) -> None:  # noqa: FBT001 (expected)
    """One entry it refuses would spoil all."""
    assert expected is is_importable(entries)


def test_a_line_is_json_on_its_own() -> None:
    """In SES's words, as the developer guide has them; a deletion has no reason."""
    entries = ("ann@example.com", "bob@example.com")
    assert (
        object_lines(entries[:1], ListReason.COMPLAINT) == '{"emailAddress":"ann@example.com","reason":"COMPLAINT"}\n'
    )
    assert object_lines(entries, None) == '{"emailAddress":"ann@example.com"}\n{"emailAddress":"bob@example.com"}\n'
    assert object_lines((), ListReason.BOUNCE) == ""


def test_what_an_object_makes_the_list_hold() -> None:
    """By contact: variants are of one."""
    text = object_lines(entries_of(SPELT, ListReason.BOUNCE), ListReason.BOUNCE) + object_lines(
        ["Ann@Example.com"], None
    )
    assert synced_values(text) == {RECIPIENT: "BOUNCE", "ann@example.com": "NONE"}


@pytest.mark.parametrize(
    "line",
    [
        "nobody's",
        "[]",
        "null",
        "{}",
        '{"reason":"BOUNCE"}',
        '{"emailAddress":null}',
        '{"emailAddress":"nobody"}',
        json.dumps({"emailAddress": ["an address"] * 321}),
    ],
)
def test_lines_that_nobody_of_ours_wrote(line: str) -> None:
    """The others count."""
    ours = object_lines([RECIPIENT], ListReason.BOUNCE)
    assert synced_values(f"{ours}{line}\n{object_lines(['ann@example.com'], None)}") == {
        RECIPIENT: "BOUNCE",
        "ann@example.com": "NONE",
    }


@given(
    st.sets(st.sampled_from([f"{name}@example.com" for name in "abcdef"]), max_size=KEPT_VARIANTS),
    st.sampled_from([None, *ListReason]),
)
def test_what_was_written_is_read(entries: set[str], wanted: ListReason | None) -> None:
    """Every entry, and what is wanted of it."""
    assert synced_values(object_lines(sorted(entries), wanted)) == dict.fromkeys(entries, wanted or "NONE")
