"""Suppressions of SendGrid: one file for each list, as CSV from the console or as JSON from the API.

`created` is in seconds since 1970. Bounces and blocks have the same fields, although a block says nothing about the
mailbox: https://www.twilio.com/docs/sendgrid/ui/sending-email/blocks. Only the operator or the file's name can tell.
"""

from functools import partial

from feedbackctl.suppression_files.model import ExportFormat, Fields, Kind, Parsed, required_text

_API = "https://www.twilio.com/docs/sendgrid/api-reference"
_ENTRY = frozenset({"email", "created"})
_FAILURE = frozenset({"status", "reason", "email", "created"})


def _parse(kind: Kind, fields: Fields) -> Parsed:
    status = fields.get("status", "")
    if kind is Kind.BOUNCE and status.startswith("4"):
        kind = Kind.SOFT  # https://www.rfc-editor.org/rfc/rfc3463#section-2
    created = fields.get("created") or fields.get("createdat", "")
    return Parsed(required_text(fields, "email"), kind, created, fields.get("reason", ""), status)


def _parse_group(fields: Fields) -> Parsed:
    return _parse(Kind.UNSUBSCRIBE, fields)._replace(stream=required_text(fields, "groupname", "groupid"))


def _format(name: str, title: str, page: str, required: frozenset[str], kind: Kind, *extra: str) -> ExportFormat:
    parse = partial(_parse, kind)
    allowed = required | set(extra)
    return ExportFormat(f"sendgrid-{name}", f"SendGrid {title}", "sendgrid", f"{_API}/{page}", required, parse, allowed)


BOUNCES = _format("bounces", "bounces", "bounces-api/retrieve-all-bounces", _FAILURE, Kind.BOUNCE)
BLOCKS = _format("blocks", "blocks", "blocks-api/retrieve-all-blocks", _FAILURE, Kind.SOFT)
FORMATS = (
    BOUNCES,
    BLOCKS,
    _format(
        "invalid",
        "invalid emails",
        "invalid-e-mails-api/retrieve-all-invalid-emails",
        _ENTRY | {"reason"},
        Kind.BOUNCE,
    ),
    _format("spam", "spam reports", "spam-reports-api/retrieve-all-spam-reports", _ENTRY | {"ip"}, Kind.COMPLAINT),
    _format(
        "unsubscribes",
        "global unsubscribes",
        "suppressions-global-suppressions/retrieve-all-global-suppressions",
        _ENTRY,
        Kind.UNSUBSCRIBE,
    ),
    ExportFormat(
        "sendgrid-groups",
        "SendGrid group unsubscribes",
        "sendgrid",
        f"{_API}/suppressions-suppressions/retrieve-all-suppressions",
        frozenset({"email", "groupid"}),
        _parse_group,
    ),
)
