"""Subscribers of listmonk as CSV, and its bounces as JSON.

A subscriber is blocklisted if the person left all lists or an operator blocked it, so no campaign reaches it. That is
an opt-out of bulk email: https://listmonk.app/docs/concepts/#subscriber.
"""

from feedbackctl.suppression_files.model import ExportFormat, Fields, Kind, Parsed, kind_of, required_text

_STATUSES = {"blocklisted": Kind.UNSUBSCRIBE, "enabled": Kind.NONE, "disabled": Kind.NONE}
_BOUNCES = {"hard": Kind.BOUNCE, "soft": Kind.SOFT, "complaint": Kind.COMPLAINT}


def _parse_subscriber(fields: Fields) -> Parsed:
    status = fields["status"]
    date = fields.get("updatedat") or fields.get("createdat", "")
    return Parsed(required_text(fields, "email"), kind_of(_STATUSES, status), date, status)


def _parse_bounce(fields: Fields) -> Parsed:
    kind = kind_of(_BOUNCES, fields["type"])
    reason = " ".join(filter(None, (fields["type"], fields.get("source", ""))))
    return Parsed(required_text(fields, "email"), kind, fields.get("createdat", ""), reason)


FORMATS = (
    ExportFormat(
        "listmonk-subscribers",
        "listmonk subscribers",
        "listmonk",
        "https://listmonk.app/docs/querying-and-segmentation/",
        frozenset({"uuid", "email", "status"}),
        _parse_subscriber,
    ),
    ExportFormat(
        "listmonk-bounces",
        "listmonk bounces",
        "listmonk",
        "https://listmonk.app/docs/apis/bounces/",
        frozenset({"email", "type", "subscriberuuid"}),
        _parse_bounce,
    ),
)
