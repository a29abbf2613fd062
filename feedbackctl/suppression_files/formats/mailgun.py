"""Suppressions of Mailgun: bounces, complaints and unsubscribes of a domain, as CSV or JSON.

`created_at` is a date of RFC 2822. The lists are documented with the fields of their imports:
https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/bounces
"""

from feedbackctl.suppression_files.model import ExportFormat, Fields, Kind, Parsed, required_text

_API = "https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun"
_ALL_EMAIL = "*"


def _parse_bounce(fields: Fields) -> Parsed:
    code = fields.get("code", "")
    kind = Kind.SOFT if code.startswith("4") else Kind.BOUNCE
    reason = " ".join(filter(None, (code, fields.get("error", ""))))
    return Parsed(required_text(fields, "address"), kind, fields.get("createdat", ""), reason)


def _parse_complaint(fields: Fields) -> Parsed:
    return Parsed(required_text(fields, "address"), Kind.COMPLAINT, fields.get("createdat", ""))


def _parse_unsubscribe(fields: Fields) -> Parsed:
    tags = fields.get("tags", "").strip("[]\"' ")
    stream = "" if tags in {"", _ALL_EMAIL} else tags
    return Parsed(
        required_text(fields, "address"),
        Kind.UNSUBSCRIBE,
        fields.get("createdat", ""),
        f"tags {tags}" if stream else "",
        stream=stream,
    )


FORMATS = (
    ExportFormat(
        "mailgun-bounces",
        "Mailgun bounces",
        "mailgun",
        f"{_API}/bounces",
        frozenset({"address", "code", "error"}),
        _parse_bounce,
    ),
    ExportFormat(
        "mailgun-unsubscribes",
        "Mailgun unsubscribes",
        "mailgun",
        f"{_API}/unsubscribe",
        frozenset({"address", "tags"}),
        _parse_unsubscribe,
    ),
    ExportFormat(
        "mailgun-complaints",
        "Mailgun complaints",
        "mailgun",
        f"{_API}/complaints",
        frozenset({"address", "createdat"}),
        _parse_complaint,
        frozenset({"address", "createdat", "count"}),
    ),
)
