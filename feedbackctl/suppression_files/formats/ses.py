"""Entries of an SES suppression list: responses of the API, and the lines of an import job.

ListSuppressedDestinations returns `EmailAddress`, `Reason` and `LastUpdateTime`:
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SuppressedDestinationSummary.html
The lines of an import job have the address and the reason only, as CSV without a header or as JSON:
https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
"""

from collections.abc import Sequence

from feedbackctl.suppression_files.model import (
    ExportFormat,
    Fields,
    Kind,
    Parsed,
    kind_of,
    normalize_name,
    required_text,
)

_REASONS = {"bounce": Kind.BOUNCE, "complaint": Kind.COMPLAINT}
_DATES = ("lastupdatetime", "dateadded", "lastupdated", "lastupdate")
_REASON_NAMES = ("reason", "suppressionreason", "suppressedreason")


def has_reason(cells: Sequence[str]) -> bool:
    """Return True if the cells are a line of an import job."""
    return len(cells) == len(LINES.required) and normalize_name(cells[1]) in _REASONS


def _parse(fields: Fields) -> Parsed:
    reason = required_text(fields, *_REASON_NAMES)
    date = next((fields[name] for name in _DATES if fields.get(name)), "")
    return Parsed(required_text(fields, "emailaddress"), kind_of(_REASONS, reason), date, reason)


def _parse_line(fields: Fields) -> Parsed:
    reason = required_text(fields, "2")
    return Parsed(required_text(fields, "1"), kind_of(_REASONS, reason), "", reason)


LINES = ExportFormat(
    "ses-lines",
    "SES import job",
    "ses",
    "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html",
    frozenset({"1", "2"}),
    _parse_line,
)
FORMATS = (
    ExportFormat(
        "ses",
        "SES suppression list",
        "ses",
        "https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html",
        frozenset({"emailaddress", "reason"}),
        _parse,
    ),
    # The table of the console, if its rows were copied into a file.
    ExportFormat(
        "ses-console",
        "SES console",
        "ses",
        "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html",
        frozenset({"emailaddress", "suppressionreason"}),
        _parse,
    ),
    LINES,
)
