"""Suppressions of Resend, as JSON or CSV.

https://resend.com/docs/api-reference/suppressions/list-suppressions
"""

from feedbackctl.suppression_files.model import ExportFormat, Fields, Kind, Parsed, kind_of, required_text

_URL = "https://resend.com/docs/api-reference/suppressions/list-suppressions"
_ORIGINS = {"bounce": Kind.BOUNCE, "complaint": Kind.COMPLAINT, "manual": Kind.MANUAL}


def _parse(fields: Fields) -> Parsed:
    origin = fields["origin"]
    return Parsed(required_text(fields, "email"), kind_of(_ORIGINS, origin), fields.get("createdat", ""), origin)


FORMATS = (ExportFormat("resend", "Resend suppressions", "resend", _URL, frozenset({"email", "origin"}), _parse),)
