"""Build messages: the body of each kind, as SES and SNS write it, and the facts that it reports."""

import json
from collections.abc import Sequence
from typing import Any

from campaigns.fuzz.canaries import canary, canary_address
from campaigns.simulation.message_kinds import MessageKind
from campaigns.simulation.messages import Message, ReportedFact, format_milliseconds

OTHER_RECIPIENT = "bystander@example.org"
"""Another recipient of every email. No feedback is about this address, so it must never become a contact."""
STRANGER = "stranger@elsewhere.example"
"""An address that no email was sent to, so it must never become a contact."""
_MALFORMED_ADDRESS = "no-domain"
_CONFIGURATION_SET = "shop"
_NOTICE = "Successfully validated SNS topic for Amazon SES event publishing."
"""https://docs.aws.amazon.com/ses/latest/dg/event-publishing-add-event-destination-sns.html"""
COMPLAINT_LANE = 1
"""The lane that accepts messages of applications."""
_SENDING_TIME = 5_000
"""Milliseconds between an email and its feedback."""


def build_message(
    kind: MessageKind,
    recipients: Sequence[tuple[str, str]],
    at: int,
    *,
    identity: int,
    arrives: int,
    number: int,
    shape: int,
    email: tuple[int, int] | None = None,
) -> Message:
    """Return a message of this kind, dated `at` (milliseconds), about `recipients` (pairs of key and variant).

    `email` is the number of the email and the time at which it was sent; the default is an email of its own, sent
    five seconds before. `shape` decides the lane and the format: an event or a notification, with or without the
    envelope of SNS.
    """
    as_event, wrapped, lane = shape % 2 == 0, shape % 3 == 0, shape // 4 % 2
    configuration_set = _CONFIGURATION_SET if as_event else ""
    if kind.event_type == "preference":
        return _build_preference(kind, recipients[0], at, identity=identity, arrives=arrives, number=number)
    variants = [variant for _, variant in recipients]
    email_identity, mailed = email or (identity, at - _SENDING_TIME)
    status_code = kind.dsn.get("status", "") if kind.event_type == "bounce" and kind.names != "none" else ""
    dated = format_milliseconds(_bounded_time(at + kind.clock, mailed, arrives))
    facts = tuple(
        ReportedFact(
            key,
            variant.replace("EXAMPLE", "example"),
            outcome.register,
            dated,
            outcome.reason,
            configuration_set,
            outcome.verdict,
            identity,
            format_milliseconds(mailed),
            f"mail-{email_identity}",
            status_code,
            outcome.stream,
        )
        for key, variant in recipients
        for outcome in kind.outcomes
    )
    body = _write_body(kind, variants, at, identity, (email_identity, mailed), as_event=as_event, wrapped=wrapped)
    return Message(kind.name, body, facts, kind.disposition, lane, arrives, number)


def _build_preference(
    kind: MessageKind, recipient: tuple[str, str], at: int, *, identity: int, arrives: int, number: int
) -> Message:
    """Return the message of an application, which may write the address in any way."""
    key, variant = recipient
    dated, request = format_milliseconds(min(at + kind.clock, arrives)), f"request-{identity}"
    facts = tuple(
        ReportedFact(
            key,
            key,
            outcome.register,
            dated,
            outcome.reason,
            "",
            outcome.verdict,
            identity,
            dated,
            request,
            stream=outcome.stream,
        )
        for outcome in kind.outcomes
    )
    body = {
        "version": 1,
        "address": f"{canary('name', identity)} <{variant}>",
        "reason": canary("reason", identity),
        "time": format_milliseconds(at + kind.clock),
        "id": request,
        **(kind.fields or {}),
    }
    return Message(kind.name, json.dumps(body), facts, kind.disposition, COMPLAINT_LANE, arrives, number)


def _bounded_time(reported: int, mailed: int, arrives: int) -> int:
    """Return the time of feedback: never earlier than its email, and that of the email if it is after the carrier's."""
    return max(reported, mailed) if reported <= arrives else mailed


def _write_body(
    kind: MessageKind,
    variants: Sequence[str],
    at: int,
    identity: int,
    email: tuple[int, int],
    *,
    as_event: bool,
    wrapped: bool,
) -> str:
    if kind.event_type == "notice":
        return _NOTICE
    if kind.event_type == "malformed":
        return f"garbage {canary('body', identity)}"
    document: dict[str, Any] = {
        "eventType" if as_event else "notificationType": kind.event_type.capitalize(),
        "mail": {
            "timestamp": format_milliseconds(email[1]),
            "messageId": f"mail-{email[0]}",
            "destination": [*variants, *([] if kind.only_recipient else [OTHER_RECIPIENT])],
            "source": canary_address(identity),
            "commonHeaders": {"subject": canary("subject", identity)},
            "tags": {"ses:configuration-set": [_CONFIGURATION_SET]} if as_event else {},
        },
        kind.event_type: _event_details(kind, variants, at, identity),
    }
    text = json.dumps(document)
    return json.dumps({"Type": "Notification", "TopicArn": "arn", "Message": text}) if wrapped else text


def _event_details(kind: MessageKind, variants: Sequence[str], at: int, identity: int) -> dict[str, Any]:
    details = {
        **(kind.fields or {}),
        "timestamp": format_milliseconds(at + kind.clock),
        "feedbackId": f"feedback-{identity}",
    }
    server_text = canary("answered", identity)
    if kind.event_type == "delivery":
        return {**details, "recipients": list(variants), "smtpResponse": server_text}
    if kind.event_type == "subscription":
        return details
    recipients = [{"emailAddress": name, **kind.dsn, "diagnosticCode": server_text} for name in _names(kind, variants)]
    if kind.disposition == "quarantined":
        recipients.append({"emailAddress": _MALFORMED_ADDRESS, "status": "5.1.1"})
    return {**details, "bouncedRecipients" if kind.event_type == "bounce" else "complainedRecipients": recipients}


def _names(kind: MessageKind, variants: Sequence[str]) -> Sequence[str]:
    """Return the addresses that an event names, if the email was sent to `variants`."""
    match kind.names:
        case "none":
            return ()
        case "stranger":
            return (STRANGER,)
        case "member":
            return (f"member@{variants[0].partition('@')[2]}",)
        case "other variant":
            return [variant.swapcase() for variant in variants]
        case _:
            return variants
