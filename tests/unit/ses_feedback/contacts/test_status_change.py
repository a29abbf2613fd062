"""How a change of status is told to applications."""

import json

from ses_feedback.contacts.status import Status
from ses_feedback.contacts.status_change import StatusChange
from tests.support.builders import AT, CONFIGURATION_SET, RECIPIENT


def test_a_change_says_what_became_of_whom_and_why() -> None:
    """In JSON, as README documents it."""
    change = StatusChange(
        RECIPIENT,
        Status.ACTIVE,
        Status.COMPLAINED,
        rev=7,
        reason="Complaint/abuse",
        time=AT,
        configuration_set=CONFIGURATION_SET,
        message_id="an-email",
        tags=(("campaign", "september"),),
    )
    expected = {
        "address": "recipient@example.com",
        "old_status": "active",
        "new_status": "complained",
        "may_send": False,
        "rev": 7,
        "reason": "Complaint/abuse",
        "time": "2026-03-01T12:00:05.000Z",
        "configuration_set": "receipts",
        "message_id": "an-email",
        "status_code": "",
        "tags": {"campaign": "september"},
    }
    assert expected == json.loads(json.dumps(change.detail()))


def test_a_contact_becomes_active_for_no_reason_of_ses() -> None:
    """A delivery or a reinstatement took the reason away."""
    expected = {
        "address": "recipient@example.com",
        "old_status": "suspended",
        "new_status": "active",
        "may_send": True,
        "rev": 8,
        "reason": "",
        "time": "",
        "configuration_set": "",
        "message_id": "",
        "status_code": "",
        "tags": {},
    }
    change = StatusChange(RECIPIENT, Status.SUSPENDED, Status.ACTIVE, rev=8)
    assert (expected, None) == (change.detail(), change.time)
