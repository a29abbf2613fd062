"""The format of a file, by the names of its fields."""

from collections.abc import Iterable

from feedbackctl.errors import OperatorError
from feedbackctl.suppression_files.formats import FORMATS, sendgrid
from feedbackctl.suppression_files.model import ExportFormat

_CHOOSE = "Give --format, or name the columns with --columns."


def detect_format(records: Iterable[frozenset[str]], file_name: str) -> ExportFormat:
    """Return the format that has the fields of the first records. `file_name` decides between formats with equal ones.

    Raises:
        OperatorError: no format has these fields, or the choice would be a guess.

    """
    for names in records:
        found = [one for one in FORMATS if one.required <= names and (not one.allowed or names <= one.allowed)]
        best = max((len(one.required) for one in found), default=0)
        candidates = [one for one in found if len(one.required) == best]
        if sendgrid.BLOCKS in candidates:
            return _bounces_or_blocks(file_name.casefold())
        if candidates:
            return candidates[0]
    raise OperatorError(f"The format is unknown: no known export has these fields. {_CHOOSE}")


def _bounces_or_blocks(file_name: str) -> ExportFormat:
    is_blocks, is_bounces = "block" in file_name, "bounce" in file_name
    if is_blocks == is_bounces:
        raise OperatorError(
            "This is SendGrid's file of bounces or of blocks, which have the same fields. Blocks say nothing about the "
            "mailbox. Give --format sendgrid-bounces or --format sendgrid-blocks."
        )
    return sendgrid.BLOCKS if is_blocks else sendgrid.BOUNCES
