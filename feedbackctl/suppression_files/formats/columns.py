"""A format of the operator's own, from the option `--columns`."""

import re
from collections.abc import Mapping

from feedbackctl.suppression_files.model import (
    ExportFormat,
    Fields,
    Kind,
    Parsed,
    Problem,
    normalize_name,
    required_text,
)

FIELDS = ("email", "reason", "date", "status", "stream", "text")
"""Fields that columns can be assigned to."""
WORDS = {
    **dict.fromkeys(("bounce", "bounced", "hard", "hardbounce", "permanent", "invalid", "invalidemail"), Kind.BOUNCE),
    **dict.fromkeys(("complaint", "complained", "spam", "spamcomplaint", "spamreport", "abuse"), Kind.COMPLAINT),
    **dict.fromkeys(("unsubscribe", "unsubscribed", "optout", "optedout"), Kind.UNSUBSCRIBE),
    **dict.fromkeys(("manual", "suppressed", "blocklist", "blocklisted", "blacklisted", "banned"), Kind.MANUAL),
    **dict.fromkeys(("soft", "softbounce", "transient", "block", "blocked", "deferred", "temporary"), Kind.SOFT),
}
"""Words in a column of reasons → their kinds."""
_NUMBER = re.compile(r"[1-9][0-9]{0,2}")


class ColumnsError(ValueError):
    """The option is malformed. The message says how it is written."""


def parse_columns(option: str) -> dict[str, str]:
    """Return field → column of an option such as `email=Address,reason=Why,date=3`.

    Raises:
        ColumnsError: the option is malformed.

    """
    columns: dict[str, str] = {}
    for part in option.split(","):
        field, equals, column = part.partition("=")
        if not equals or field.strip() not in FIELDS or not column.strip():
            raise ColumnsError(f"write it as email=NAME,reason=NAME,date=NAME with the fields {', '.join(FIELDS)}")
        columns[field.strip()] = column.strip()
    if "email" not in columns:
        raise ColumnsError("the column of the address is missing: email=NAME")
    numbers = [bool(_NUMBER.fullmatch(column)) for column in columns.values()]
    if any(numbers) and not all(numbers):
        raise ColumnsError("give the names of all columns, or, for a file without a header, all their numbers")
    return columns


def has_header(columns: Mapping[str, str]) -> bool:
    """Return True if the columns are given by name, so that the file has a header."""
    return not _NUMBER.fullmatch(columns["email"])


def format_of_columns(columns: Mapping[str, str], source: str, kind: Kind | None) -> ExportFormat:
    """Return the format of a file with these columns. `kind` is that of all rows without a column of reasons."""
    names = {field: column if column.isdigit() else normalize_name(column) for field, column in columns.items()}

    def parse(fields: Fields) -> Parsed:
        found = {field: fields.get(name, "") for field, name in names.items()}
        return Parsed(
            required_text(found, "email"),
            _kind(found, kind),
            found.get("date", ""),
            found.get("text") or found.get("reason", ""),
            found.get("status", ""),
            found.get("stream", ""),
        )

    spec = ",".join(f"{field}={column}" for field, column in columns.items()) + (f",kind={kind.value}" if kind else "")
    return ExportFormat(f"columns({spec})", "--columns", source, "", frozenset(names.values()), parse)


def _kind(found: Fields, kind: Kind | None) -> Kind:
    if kind is not None:
        return kind
    word = WORDS.get(normalize_name(found.get("reason", "")))
    if word is None:
        raise Problem("the reason is unknown; --kind gives one for all rows")
    return word
