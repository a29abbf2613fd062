"""The detail of a status-change event."""

import json

from ses_feedback.contacts.status import Status
from ses_feedback.contacts.status_change import StatusChange
from tests.support.builders import AT, CONFIGURATION_SET, RECIPIENT


def test_the_detail_of_a_status_change_has_every_documented_field() -> None:
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


def test_the_detail_of_a_change_to_active_has_no_reason_and_no_time() -> None:
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
