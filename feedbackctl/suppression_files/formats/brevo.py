"""Blocked contacts of Brevo, as JSON or CSV. The codes are those of the API.

https://developers.brevo.com/reference/get-transac-blocked-contacts
"""

from feedbackctl.suppression_files.model import ExportFormat, Fields, Kind, Parsed, kind_of, required_text

_URL = "https://developers.brevo.com/reference/get-transac-blocked-contacts"
_CODES = {
    "hardbounce": Kind.BOUNCE,
    "contactflaggedasspam": Kind.COMPLAINT,
    "unsubscribedviaemail": Kind.UNSUBSCRIBE,
    "unsubscribedviama": Kind.UNSUBSCRIBE,
    "unsubscribedviaapi": Kind.UNSUBSCRIBE,
    "adminblocked": Kind.MANUAL,
}


def _parse(fields: Fields) -> Parsed:
    code = required_text(fields, "reasoncode", "reason")
    return Parsed(required_text(fields, "email"), kind_of(_CODES, code), fields.get("blockedat", ""), code)


FORMATS = (ExportFormat("brevo", "Brevo blocked contacts", "brevo", _URL, frozenset({"email", "blockedat"}), _parse),)
