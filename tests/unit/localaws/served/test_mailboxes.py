"""What SES publishes about one mail."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localaws.served.mailboxes import SIMULATOR, Feedback, Mail, as_event, as_notification, happens_to
from localaws.ses_list.suppression_list import SuppressionReason

LONG_AGO = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_mail(*recipients: str, **changed: Any) -> Mail:  # noqa: ANN401
    """Return a mail sent long ago."""
    return Mail(
        **{
            "message_id": "m-1",
            "source": "News <news@example.com>",
            "recipients": recipients,
            "sent_at": LONG_AGO,
            "account": "123456789012",
            "region": "us-east-1",
            "identity": "example.com",
            "subject": "Hello",
            "configuration_set": "Ours",
            **changed,
        }
    )


def said(mail: Mail, **listed: SuppressionReason) -> list[tuple[str, ...]]:
    """Return kind, type and sub type of everything that happens to a mail."""
    feedback = happens_to(mail, {f"{name}@example.com": reason for name, reason in listed.items()})
    found = (
        (
            one.kind,
            one.detail.get("bounceType", ""),
            one.detail.get("bounceSubType") or one.detail.get("complaintSubType") or "",
        )
        for one in feedback
    )
    return [tuple(part for part in parts if part) for parts in found]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("success", [("Delivery",)]),
        ("anybody", [("Delivery",)]),
        ("bounce", [("Bounce", "Permanent", "General")]),
        ("ooto", [("Delivery",), ("Bounce", "Transient", "General")]),
        ("complaint", [("Delivery",), ("Complaint",)]),
        ("suppressionlist", [("Bounce", "Permanent", "General")]),
        ("mailboxfull", [("Bounce", "Transient", "MailboxFull")]),
        ("Bounce+label", [("Bounce", "Permanent", "General")]),
    ],
)
def test_a_mailbox_answers_by_its_name(name: str, expected: list[tuple[str, ...]]) -> None:
    """The mailbox simulator's addresses, with or without a label, and ordinary ones."""
    assert said(a_mail(f"{name}@{SIMULATOR}")) == [("Send",), *expected]


def test_ses_holds_back_what_is_listed() -> None:
    """An entry's reason decides whether the echo is a bounce or a complaint; others are delivered."""
    mail = a_mail("bounce@example.com", "ann@example.com", "bo@example.com")
    expected = [
        ("Send",),
        ("Bounce", "Permanent", "OnAccountSuppressionList"),
        ("Complaint", "OnAccountSuppressionList"),
        ("Delivery",),
    ]
    assert said(mail, bounce=SuppressionReason.BOUNCE, ann=SuppressionReason.COMPLAINT) == expected


def test_bounces_of_one_kind_come_as_one() -> None:
    """SES combines the recipients of a mail that bounced alike."""
    mail = a_mail("bounce+1@example.com", "Two <bounce+2@example.com>")
    assert [one.recipients for one in happens_to(mail, {})][1:] == [("bounce+1@example.com", "bounce+2@example.com")]


def test_an_automatic_reply_says_nothing_but_the_address() -> None:
    """That is how to tell it from a bounce."""
    bounce = happens_to(a_mail(f"ooto@{SIMULATOR}"), {})[-1]
    assert bounce.detail["bouncedRecipients"] == [{"emailAddress": f"ooto@{SIMULATOR}"}]


def test_feedback_is_never_from_the_future() -> None:
    """It is published at once, so its times end at now."""
    now = datetime.now(UTC)
    feedback = happens_to(a_mail("ann@example.com", sent_at=now), {})[-1]
    assert datetime.fromisoformat(feedback.detail["timestamp"]) - now < timedelta(milliseconds=100)


def test_only_a_hard_bounce_that_is_no_echo_is_permanent() -> None:
    """SES lists by itself what it sent and what came back for good."""
    mail = a_mail("bounce@example.com", "mailboxfull@example.com", "cid@example.com")
    feedback = happens_to(mail, {"cid@example.com": SuppressionReason.BOUNCE})
    assert [one.recipients for one in feedback if one.permanent] == [("bounce@example.com",)]


def test_an_event_is_one_line_with_tags() -> None:
    """Event destinations get what was tagged, and by whom it was sent."""
    mail = a_mail("ann@example.com", tags={"campaign": "spring"})
    event = as_event(mail, happens_to(mail, {})[-1])
    document = json.loads(event)
    assert event.endswith("}\n")
    assert document["eventType"] == "Delivery"
    assert document["mail"]["tags"]["campaign"] == ["spring"]
    assert document["mail"]["tags"]["ses:configuration-set"] == ["Ours"]


def test_a_notification_has_no_tags_and_no_send() -> None:
    """Topics of an identity get bounces, complaints and deliveries, with the caller beside the mail."""
    mail = a_mail("complaint@example.com")
    notifications = [as_notification(mail, one) for one in happens_to(mail, {})]
    assert notifications[0] is None
    delivery, complaint = (json.loads(one) for one in notifications if one)
    assert (delivery["notificationType"], complaint["notificationType"]) == ("Delivery", "Complaint")
    assert "complaintSubType" not in complaint["complaint"]
    assert ("tags" in delivery["mail"], "sourceIp" in delivery["mail"]) == (False, True)


def test_kinds_have_their_own_objects() -> None:
    """The object is not always named like its event."""
    names = {kind: list(json.loads(as_event(a_mail(), Feedback(kind, {}))))[-1] for kind in ("DeliveryDelay", "Send")}
    assert names == {"DeliveryDelay": "deliveryDelay", "Send": "send"}
