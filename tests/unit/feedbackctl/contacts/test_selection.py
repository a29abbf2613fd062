"""Selections, diagnostics and filters of bulk changes."""

import tracemalloc
from datetime import timedelta

import pytest

from feedbackctl.contacts.bulk_reinstatement import group_for_jobs
from feedbackctl.contacts.diagnostics import MOST_GROUPS, OTHER, WITHOUT_TEXT, DiagnosticGroups, group_of
from feedbackctl.contacts.filters import ContactFilter, Match
from feedbackctl.contacts.history import HistoryEntry, decode_entry
from feedbackctl.contacts.list_deletion import MOST_ENTRIES
from feedbackctl.contacts.operations import Selected, decode_selected, encode_selected
from feedbackctl.contacts.search import Found
from feedbackctl.contacts.selection import Selection
from feedbackctl.contacts.sender_faults import explain_sender_fault
from ses_feedback.contacts.contact import Contact, Evidence
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Status
from tests.support.builders import AT, MESSAGE_ID

MANY = 50_000
BOUND = 3_000_000
"""Bytes that a selection may take, whatever its number of contacts."""
BOUNCE = Evidence(AT, "Permanent/General", "receipts", MESSAGE_ID, "5.7.26", (("campaign", "spring"),))


def record(address: str, evidence: Evidence | None = BOUNCE) -> ContactRecord:
    """Return a bounced contact."""
    return ContactRecord(Contact(address, (address,), bounced=evidence), rev=1, status=Status.BOUNCED)


def history(diagnostic: str, **texts: str) -> tuple[HistoryEntry, ...]:
    """Return a history with the bounce of `BOUNCE`."""
    fields = {"at": "2026-03-01T12:00:05.000Z", "message_id": MESSAGE_ID, "verdict": "SUPPRESS", "status": "5.7.26"}
    return (
        decode_entry({name: {"S": text} for name, text in (fields | {"diagnostic_code": diagnostic} | texts).items()}),
    )


def test_selection_of_many_contacts_takes_bounded_memory() -> None:
    chosen = Selection(ContactFilter())
    tracemalloc.start()
    try:
        for number in range(MANY):
            entries = history(f"550 5.7.26 rejected, message {number:012d}, host {number}")
            chosen.add(Found(record(f"reader-{number}@example.org"), BOUNCE, entries))
        selected = sum(1 for _ in chosen.contacts())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        chosen.close()
    assert (selected, chosen.count, len(chosen.samples), peak < BOUND) == (MANY, MANY, 10, True), peak


def test_selected_contact_is_stored_and_read_again() -> None:
    one = Selected("a@example.org", ("a@example.org", "A@example.org"), "bounced", BOUNCE)
    stored = decode_selected(encode_selected(one))
    assert (stored.address, stored.entries, stored.status) == (one.address, one.entries, one.status)
    assert stored.evidence == Evidence(BOUNCE.at, BOUNCE.reason, BOUNCE.configuration_set, MESSAGE_ID, "5.7.26")
    without = Selected("a@example.org", (), "bouncing", None)
    assert decode_selected(encode_selected(without)) == without


def test_each_job_has_at_most_ten_thousand_entries_and_no_chunk_is_lost() -> None:
    chunks = [
        [Selected(f"{number}-{one}@example.org", ("a",) * 9, "bounced", None) for one in range(500)]
        for number in range(7)
    ]
    groups = list(group_for_jobs(iter(chunks)))
    assert [chunk for group in groups for chunk in group] == chunks
    assert max(sum(len(one.entries) for chunk in group for one in chunk) for group in groups) <= MOST_ENTRIES
    assert [len(group) for group in groups] == [2, 2, 2, 1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("550 5.1.1 <a@example.org> unknown", "550 5.1.1 <bcd@example.com>  unknown"),
        ("421 from [192.0.2.1] try 192.0.2.7", "421 from [192.0.2.200] try 198.51.100.7"),
        ("550 5.7.26 0a0b1c2d3e4f5-1 - gsmtp", "550 5.7.26 99f8e7d6c5b4a-77 - gsmtp"),
    ],
)
def test_diagnostics_that_differ_in_varying_parts_are_one_group(one: str, other: str) -> None:
    assert group_of(one) == group_of(other)


def test_number_of_groups_is_bounded() -> None:
    groups = DiagnosticGroups()
    words = ["".join(chr(97 + number // 26**place % 26) for place in range(4)) for number in range(2 * MOST_GROUPS)]
    for word in words:
        groups.add([f"rejected {word}"])
    groups.add([])
    largest = dict(groups.largest(5))
    assert largest[OTHER] == MOST_GROUPS + 1
    assert group_of("") == WITHOUT_TEXT


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ContactFilter(), Match.YES),
        (ContactFilter(statuses=(Status.COMPLAINED,)), Match.NO),
        (ContactFilter(since=AT), Match.YES),
        (ContactFilter(since=AT + timedelta(milliseconds=1)), Match.NO),
        (ContactFilter(until=AT), Match.NO),
        (ContactFilter(until=AT + timedelta(milliseconds=1)), Match.YES),
        (ContactFilter(domain="example.org"), Match.YES),
        (ContactFilter(domain="ample.org"), Match.NO),
        (ContactFilter(domain="org"), Match.YES),
        (ContactFilter(status_code="5.7"), Match.YES),
        (ContactFilter(status_code="5.7.2"), Match.NO),
        (ContactFilter(status_code="5.7.26"), Match.YES),
        (ContactFilter(configuration_set="receipts"), Match.YES),
        (ContactFilter(configuration_set="offers"), Match.NO),
        (ContactFilter(tag="campaign"), Match.YES),
        (ContactFilter(tag="campaign=spring"), Match.YES),
        (ContactFilter(tag="campaign=autumn"), Match.UNDETERMINED),
        (ContactFilter(diagnostic="gsmtp"), Match.UNDETERMINED),
        (ContactFilter(provider="gmail"), Match.UNDETERMINED),
        (ContactFilter(stream="newsletter"), Match.NO),
    ],
    ids=lambda value: value.describe() if isinstance(value, ContactFilter) else "",
)
def test_filter_is_decided_by_the_contact_where_it_can_be(wanted: ContactFilter, expected: Match) -> None:
    assert wanted.match_contact(record("a@example.org"), BOUNCE) is expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ContactFilter(diagnostic="DMARC"), Match.YES),
        (ContactFilter(diagnostic="no such user"), Match.NO),
        (ContactFilter(provider="gmail"), Match.YES),
        (ContactFilter(provider="yahoo"), Match.NO),
        (ContactFilter(tag="campaign=autumn"), Match.NO),
    ],
)
def test_filter_is_decided_by_the_feedback_that_gave_the_status(wanted: ContactFilter, expected: Match) -> None:
    entries = history("550 5.7.26 dmarc policy - gsmtp")
    assert wanted.match_history(record("a@example.org"), BOUNCE, entries) is expected
    other = history("550 5.7.26 dmarc policy - gsmtp", message_id="another")
    assert wanted.match_history(record("a@example.org"), BOUNCE, other) is Match.UNDETERMINED


@pytest.mark.parametrize(
    ("status", "text", "fault"),
    [
        ("5.7.26", "", "could not verify"),
        ("5.7.1", "550-5.7.26 Unauthenticated email", "could not verify"),
        ("5.7.515", "", "could not verify"),
        ("", "550 5.7.1 blocked using zen.spamhaus.org", "block list"),
        ("4.7.28", "", "volume or rate"),
        ("5.1.1", "550 5.1.1 user unknown", ""),
        ("", "", ""),
    ],
)
def test_fault_of_the_sender_is_explained_in_plain_words(status: str, text: str, fault: str) -> None:
    explanation = explain_sender_fault(status, text)
    assert (fault in explanation, bool(explanation)) == (True, bool(fault))
