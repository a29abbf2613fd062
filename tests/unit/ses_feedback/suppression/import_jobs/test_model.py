"""The ledger of import jobs, its item, and the leases of a job."""

from datetime import timedelta
from typing import Any

import pytest

from ses_feedback.contacts.record import ContactRecord, Item, without_lease
from ses_feedback.immutable import replace
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
from tests.support.builders import AT, START, a_contact, a_fact, on_day

JOB = ImportJob("import-worker-0", Action.PUT, AT, START)
RUNNING = replace(JOB, stage=Stage.RUNNING, entries=7, job_id="job-1")
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
PENDING = ContactRecord(a_contact(a_fact()), rev=3, list_pending=True, pending_since=START)


def test_the_numbers_are_those_of_ses_and_of_the_documents() -> None:
    """SES: https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html (developer guide)."""
    assert MAX_ENTRIES == {"PUT": 100_000, "DELETE": 10_000}
    assert (timedelta(hours=3), timedelta(hours=1)) == (IMPORT_LEASE_DURATION, PAUSE)


# --- The ledger -----------------------------------------------------------------------------------------------------


def test_the_key_of_the_ledger_cannot_be_that_of_a_contact() -> None:
    assert KEY == {"address": {"S": "suppression-list"}, "record": {"S": "imports"}}


def test_the_stored_names_of_stages_do_not_change() -> None:
    """The next release reads items of this one."""
    assert [stage.value for stage in Stage] == ["leasing", "creating", "running", "abandoned", "lost"]


def test_a_new_job_is_leasing_without_entries_and_id() -> None:
    assert (JOB.stage, JOB.entries, JOB.job_id) == (Stage.LEASING, 0, "")


def test_without_an_item_the_ledger_is_empty() -> None:
    assert Ledger(0, (), None) == Ledger() == decode(None)


def test_a_ledger_is_encoded_as_its_documented_item() -> None:
    assert encode(Ledger(4, (RUNNING,), on_day(1))) == ITEM


def test_the_item_is_decoded_as_the_ledger() -> None:
    assert Ledger(4, (RUNNING,), on_day(1)) == decode(ITEM)


def test_a_ledger_that_is_not_paused_has_no_attribute_for_it() -> None:
    ledger = Ledger(1, (OTHER, RUNNING))
    item = encode(ledger)
    assert ("paused_until" in item, decode(item)) == (False, ledger)


@pytest.mark.parametrize("name", ["rev", "jobs"])
def test_a_ledger_without_an_attribute_is_malformed(name: str) -> None:
    with pytest.raises(ValueError, match="runbook"):
        decode({key: value for key, value in ITEM.items() if key != name})


@pytest.mark.parametrize("name", ImportJob.__struct_fields__)
def test_a_job_without_a_field_makes_the_ledger_malformed(name: str) -> None:
    job = {key: value for key, value in ITEM["jobs"]["L"][0]["M"].items() if key != name}
    with pytest.raises(ValueError, match="runbook"):
        decode(ITEM | {"jobs": {"L": [{"M": job}]}})


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
def test_an_attribute_of_another_form_makes_the_ledger_malformed(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(ITEM | {name: wrong})


def test_a_ledger_contains_one_job_of_each_name() -> None:
    """A job replaces the earlier one of the same name."""
    ledger = Ledger(2, (JOB, OTHER), AT)
    assert Ledger(2, (OTHER, RUNNING), AT) == ledger.with_job(RUNNING)
    assert Ledger(2, (OTHER,), AT) == ledger.without(JOB.name)
    assert Ledger().with_job(JOB).with_job(OTHER) == Ledger(jobs=(JOB, OTHER))


def test_a_paused_ledger_keeps_its_jobs_and_starts_none_for_an_hour() -> None:
    assert Ledger(2, (JOB,), AT + timedelta(hours=1)) == paused(Ledger(2, (JOB,)), AT)


# --- Leases ---------------------------------------------------------------------------------------------------------


def test_the_name_of_a_lease_contains_the_job_and_the_rev() -> None:
    """The common prefix ends with a separator, so that it does not match a job with a longer name."""
    assert (lease_name(JOB, 4), lease_name(JOB, 0), lease_name(JOB)) == (
        "import-worker-0#4",
        "import-worker-0#0",
        f"{JOB.name}#",
    )


def test_a_contact_leased_for_an_import_is_not_pending_until_the_lease_expires() -> None:
    """The lease contains the `rev` with which it is written."""
    expires_at = AT + timedelta(hours=3)
    expected = replace(PENDING, rev=4, lease="import-worker-0#4", leased_until=expires_at, retry_at=expires_at)
    assert expected == leased_for_import(JOB, PENDING)
    assert [
        leased_for_import(JOB, PENDING).is_pending(when) for when in (expires_at - timedelta(seconds=1), expires_at)
    ] == [
        False,
        True,
    ]


def test_a_contact_leased_for_an_import_has_a_pending_entry() -> None:
    """Before, only its event may have been pending."""
    assert leased_for_import(JOB, replace(PENDING, list_pending=False)).list_pending


def test_a_released_contact_is_pending_at_once() -> None:
    assert replace(PENDING, rev=5) == without_lease(leased_for_import(JOB, PENDING))
