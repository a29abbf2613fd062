"""Suppressions of Postmark: the dump of a message stream, as JSON or CSV.

https://postmarkapp.com/developer/api/suppressions-api
"""

from feedbackctl.suppression_files.model import ExportFormat, Fields, Kind, Parsed, kind_of, required_text

_URL = "https://postmarkapp.com/developer/api/suppressions-api"
_FIELDS = frozenset({"emailaddress", "suppressionreason", "origin"})
_REASONS = {
    "hardbounce": Kind.BOUNCE,
    "spamcomplaint": Kind.COMPLAINT,
    "manualsuppression": Kind.MANUAL,
}


def _parse(fields: Fields) -> Parsed:
    reason, origin = fields["suppressionreason"], fields.get("origin", "")
    kind = kind_of(_REASONS, reason)
    if kind is Kind.MANUAL and origin.casefold() == "recipient":
        kind = Kind.UNSUBSCRIBE  # the recipient used the unsubscribe link
    text = f"{reason} ({origin})" if origin else reason
    return Parsed(required_text(fields, "emailaddress"), kind, fields.get("createdat", ""), text)


FORMATS = (ExportFormat("postmark", "Postmark suppressions", "postmark", _URL, _FIELDS, _parse),)
