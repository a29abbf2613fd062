"""A contact as the operator sees it: one JSON object, documented field by field."""

from typing import Any

from feedbackctl.contacts.attributes import text_of, texts_of
from ses_feedback.contacts.contact import Evidence
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits, Standing, Status, opted_out_streams, standing
from ses_feedback.timestamps import format_timestamp

FIELDS = {
    "address": "the contact's key: the address in lower case",
    "known": "whether any feedback about the address is stored",
    "status": "`complained`, `bounced`, `unsubscribed`, `suspended`, `bouncing` or `active`",
    "may_send": "whether bulk email may be sent",
    "may_send_transactional": "whether receipts and password resets may be sent",
    "no_streams": "streams that the person opted out of",
    "since": "time of the evidence that gives the status, or an empty text",
    "reason": "reason of that evidence, such as `Permanent/NoEmail`",
    "status_code": "its enhanced status code (RFC 3463)",
    "message_id": "SES's id of the email",
    "configuration_set": "the configuration set of the email",
    "tags": "the sender's own message tags",
    "release_at": "when a suspension ends by itself, or an empty text",
    "variants": "the address as it was emailed, in each form",
    "synced": "the entry that the stack last wrote to the suppression list: `BOUNCE`, `COMPLAINT`, `NONE` or empty",
    "pending": "whether the suppression list or an event still has to follow the last change",
}
"""Fields of a contact in JSON, CSV and NDJSON, with their meaning."""

_NO_EVIDENCE = Standing(Status.ACTIVE)


def describe_contact(record: ContactRecord, limits: Limits) -> dict[str, Any]:
    """Return the fields of a contact. `may_send`, `status` and `no_streams` are what an application reads now."""
    item = record.item or {}
    evidence = current_evidence(record, limits)
    return {
        "address": record.contact.address,
        "known": record.rev > 0,
        "status": record.status.value,
        "may_send": bool(item.get("may_send", {}).get("BOOL", True)),
        "may_send_transactional": bool(item.get("may_send_transactional", {}).get("BOOL", True)),
        "no_streams": texts_of(item, "no_streams") or list(opted_out_streams(record.contact)),
        "since": format_timestamp(evidence.at) if evidence else "",
        "reason": evidence.reason if evidence else "",
        "status_code": evidence.status_code if evidence else "",
        "message_id": evidence.message_id if evidence else "",
        "configuration_set": evidence.configuration_set if evidence else "",
        "tags": dict(evidence.tags) if evidence else {},
        "release_at": text_of(item, "release_at"),
        "variants": list(record.contact.variants),
        "synced": record.synced or "",
        "pending": record.pending_since is not None,
    }


def current_evidence(record: ContactRecord, limits: Limits) -> Evidence | None:
    """Return the evidence of the contact's status, or None for an active contact."""
    return standing(record.contact, limits).evidence
