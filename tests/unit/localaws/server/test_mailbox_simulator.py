"""The outcomes of one email, and the messages that SES publishes about them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localaws.server.feedback_messages import to_event, to_notification
from localaws.server.mailbox_simulator import Email, Feedback, create_feedback
from localaws.suppression_list.entries import SIMULATOR_DOMAIN, SuppressionReason

SENT_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def create_email(*recipients: str, **changed: Any) -> Email:  # noqa: ANN401
    """Return an email sent in the past."""
    return Email(
        **{
            "message_id": "m-1",
            "source": "News <news@example.com>",
            "recipients": recipients,
            "sent_at": SENT_AT,
            "account": "123456789012",
            "region": "us-east-1",
            "identity": "example.com",
            "subject": "Hello",
            "configuration_set": "Ours",
            **changed,
        }
    )


def list_kinds(email: Email, **listed: SuppressionReason) -> list[tuple[str, ...]]:
    """Return kind, type and sub type of all feedback on an email."""
    feedback = create_feedback(email, {f"{name}@example.com": reason for name, reason in listed.items()})
    kinds = (
        (
            event.kind,
            event.detail.get("bounceType", ""),
            event.detail.get("bounceSubType") or event.detail.get("complaintSubType") or "",
        )
        for event in feedback
    )
    return [tuple(part for part in parts if part) for parts in kinds]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("success", [("Delivery",)]),
        ("ann", [("Delivery",)]),
        ("bounce", [("Bounce", "Permanent", "General")]),
        ("ooto", [("Delivery",), ("Bounce", "Transient", "General")]),
        ("complaint", [("Delivery",), ("Complaint",)]),
        ("suppressionlist", [("Bounce", "Permanent", "General")]),
        ("mailboxfull", [("Bounce", "Transient", "MailboxFull")]),
        ("latefull", [("Delivery",), ("Bounce", "Transient", "MailboxFull")]),
        ("Bounce+label", [("Bounce", "Permanent", "General")]),
    ],
)
def test_local_part_selects_the_outcome(name: str, expected: list[tuple[str, ...]]) -> None:
    assert list_kinds(create_email(f"{name}@{SIMULATOR_DOMAIN}")) == [("Send",), *expected]


def test_listed_recipient_becomes_an_echo_with_the_kind_of_its_entry() -> None:
    email = create_email("bounce@example.com", "ann@example.com", "bo@example.com")
    expected = [
        ("Send",),
        ("Bounce", "Permanent", "OnAccountSuppressionList"),
        ("Complaint", "OnAccountSuppressionList"),
        ("Delivery",),
    ]
    assert list_kinds(email, bounce=SuppressionReason.BOUNCE, ann=SuppressionReason.COMPLAINT) == expected


def test_recipients_with_the_same_bounce_are_combined() -> None:
    email = create_email("bounce+1@example.com", "Two <bounce+2@example.com>")
    assert [feedback.recipients for feedback in create_feedback(email, {})][1:] == [
        ("bounce+1@example.com", "bounce+2@example.com")
    ]


def test_automatic_reply_has_no_details_except_the_address() -> None:
    bounce = create_feedback(create_email(f"ooto@{SIMULATOR_DOMAIN}"), {})[-1]
    assert bounce.detail["bouncedRecipients"] == [{"emailAddress": f"ooto@{SIMULATOR_DOMAIN}"}]


def test_feedback_has_no_time_in_the_future() -> None:
    now = datetime.now(UTC)
    feedback = create_feedback(create_email("ann@example.com", sent_at=now), {})[-1]
    assert datetime.fromisoformat(feedback.detail["timestamp"]) - now < timedelta(milliseconds=100)


def test_only_a_hard_bounce_that_is_no_echo_counts_as_hard_bounce() -> None:
    email = create_email("bounce@example.com", "mailboxfull@example.com", "cid@example.com")
    feedback = create_feedback(email, {"cid@example.com": SuppressionReason.BOUNCE})
    assert [event.recipients for event in feedback if event.is_hard_bounce] == [("bounce@example.com",)]


def test_event_is_one_line_with_tags() -> None:
    email = create_email("ann@example.com", tags={"campaign": "spring"})
    event = to_event(email, create_feedback(email, {})[-1])
    document = json.loads(event)
    assert event.endswith("}\n")
    assert document["eventType"] == "Delivery"
    assert document["mail"]["tags"]["campaign"] == ["spring"]
    assert document["mail"]["tags"]["ses:configuration-set"] == ["Ours"]


def test_notification_has_no_tags_and_sends_have_no_notification() -> None:
    email = create_email("complaint@example.com")
    notifications = [to_notification(email, feedback) for feedback in create_feedback(email, {})]
    assert notifications[0] is None
    delivery, complaint = (json.loads(message) for message in notifications if message)
    assert (delivery["notificationType"], complaint["notificationType"]) == ("Delivery", "Complaint")
    assert "complaintSubType" not in complaint["complaint"]
    assert ("tags" in delivery["mail"], "sourceIp" in delivery["mail"]) == (False, True)


def test_detail_object_has_the_name_that_ses_uses() -> None:
    names = {
        kind: list(json.loads(to_event(create_email(), Feedback(kind, {}))))[-1] for kind in ("DeliveryDelay", "Send")
    }
    assert names == {"DeliveryDelay": "deliveryDelay", "Send": "send"}
