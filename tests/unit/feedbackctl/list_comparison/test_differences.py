"""How an entry, or a contact without one, differs."""

from datetime import timedelta

import pytest

from feedbackctl.list_comparison.differences import Difference, judge_entry, judge_unlisted
from feedbackctl.list_comparison.list_pages import Listed
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Register, Verdict
from tests.support.builders import RECIPIENT, a_contact, a_fact, on_day

LIMITS = Limits()
BOUNCED = ContactRecord(a_contact(a_fact(at=on_day(1))), rev=1, synced="BOUNCE")
COMPLAINED = ContactRecord(a_contact(a_fact(Verdict.COMPLAIN, on_day(1), register=Register.COMPLAINED)), rev=1)
ACTIVE = ContactRecord(a_contact(a_fact(Verdict.DELIVERED, on_day(1))), rev=1)
CLEARED = ContactRecord(a_contact(cleared=on_day(5)), rev=3, synced="NONE")
UNKNOWN = ContactRecord(Contact(RECIPIENT))


@pytest.mark.parametrize(
    ("record", "reason", "difference"),
    [
        (BOUNCED, "BOUNCE", Difference.IN_STEP),
        (COMPLAINED, "COMPLAINT", Difference.IN_STEP),
        (COMPLAINED, "BOUNCE", Difference.OTHER_REASON),
        (BOUNCED, "COMPLAINT", Difference.NOT_REQUIRED),
        (replace(BOUNCED, list_pending=True), "BOUNCE", Difference.PENDING),
        (replace(BOUNCED, lease="worker"), "BOUNCE", Difference.PENDING),
        (ACTIVE, "BOUNCE", Difference.NOT_REQUIRED),
        (replace(ACTIVE, synced="BOUNCE"), "BOUNCE", Difference.STALE),
        (UNKNOWN, "BOUNCE", Difference.WITHOUT_CONTACT),
        (None, "BOUNCE", Difference.NOT_UNDERSTOOD),
        (BOUNCED, "ANOTHER", Difference.NOT_UNDERSTOOD),
    ],
)
def test_entry_is_compared_with_what_its_contact_requires(
    record: ContactRecord | None, reason: str, difference: Difference
) -> None:
    assert judge_entry(Listed(RECIPIENT, reason, on_day(3)), record, LIMITS) is difference


@pytest.mark.parametrize(("after", "difference"), [(0, Difference.STALE), (1, Difference.NOT_REQUIRED)])
def test_entry_of_a_reinstated_contact_is_stale_unless_it_is_newer(after: int, difference: Difference) -> None:
    entry = Listed(RECIPIENT, "BOUNCE", on_day(5) + timedelta(seconds=after))
    assert judge_entry(entry, CLEARED, LIMITS) is difference


@pytest.mark.parametrize(
    ("record", "difference"),
    [
        (BOUNCED, Difference.MISSING),
        (COMPLAINED, Difference.MISSING),
        (replace(BOUNCED, list_pending=True), Difference.PENDING),
        (ACTIVE, None),
        (UNKNOWN, None),
        (
            ContactRecord(a_contact(a_fact(address="ü@example.com"), address="ü@example.com"), rev=1),
            Difference.UNLISTABLE,
        ),
    ],
)
def test_contact_without_an_entry_is_missing_if_it_requires_one(
    record: ContactRecord, difference: Difference | None
) -> None:
    assert judge_unlisted(record, LIMITS) is difference
