"""Entries of an exported file, and the formats that they are read from."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from ses_feedback.address import Address

Fields = Mapping[str, str]
"""Fields of one record: `normalize_name` of each name → its text."""


class Kind(StrEnum):
    """Meaning of an entry in the system that exported it."""

    BOUNCE = "bounce"
    """A hard bounce."""
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"
    """An operator of the other system stopped all email."""
    SOFT = "soft"
    """A soft bounce, or a block because of the email and not of the mailbox."""
    NONE = "none"
    """Not a suppression."""


class Problem(ValueError):  # noqa: N818 (of one line, not of the command)
    """A record cannot be read. The message says why and quotes nothing of the record."""


class Parsed(NamedTuple):
    """Fields of one record, interpreted by a format. `stream` is empty for all email; `date` may be empty."""

    address: str
    kind: Kind
    date: str = ""
    reason: str = ""
    status: str = ""
    stream: str = ""


class ExportFormat(NamedTuple):
    """A format. `required` are the fields by which it is recognized, `parse` interprets a record.

    `source` is the system's name in reasons. `url` documents the format. `allowed`, if not empty, are all fields that
    the format has: it is not recognized by a header with other ones.
    """

    name: str
    title: str
    source: str
    url: str
    required: frozenset[str]
    parse: Callable[[Fields], Parsed]
    allowed: frozenset[str] = frozenset()


class Entry(NamedTuple):
    """A record that was read. `at` is None if the record has no date, `reason` the text of the other system."""

    line: int
    address: Address
    kind: Kind
    at: datetime | None
    reason: str = ""
    status_code: str = ""
    stream: str = ""


class BadLine(NamedTuple):
    """A record that cannot be read: the number of its first line, and the problem. Nothing of its text."""

    line: int
    problem: str


class Record(NamedTuple):
    """The fields of one record, with the number of its first line."""

    line: int
    fields: dict[str, str]


def normalize_name(name: str) -> str:
    """Return the name of a field as formats know it: small letters and digits only."""
    return "".join(character for character in name.casefold() if character.isalnum())


def required_text(fields: Fields, *names: str) -> str:
    """Return the first field that is not empty.

    Raises:
        Problem: there is none.

    """
    for name in names:
        if fields.get(name):
            return fields[name]
    raise Problem(f"the field {names[0]} is empty")


def kind_of(words: Mapping[str, Kind], text: str) -> Kind:
    """Return the kind of an original reason.

    Raises:
        Problem: the format has no such reason.

    """
    kind = words.get(normalize_name(text))
    if kind is None:
        raise Problem("the reason is unknown")
    return kind
