"""Contacts, their streams and their history as a SQLite file."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from feedbackctl.contacts.explanation import describe_entry
from feedbackctl.contacts.search import Found
from feedbackctl.contacts.view import FIELDS, describe_contact
from ses_feedback.aws.batches import batched
from ses_feedback.contacts.status import Limits
from ses_feedback.timestamps import format_timestamp

_SCHEMA = """
CREATE TABLE contacts (
  address TEXT PRIMARY KEY, status TEXT, may_send INTEGER, may_send_transactional INTEGER, no_streams TEXT, since TEXT,
  reason TEXT, status_code TEXT, message_id TEXT, configuration_set TEXT, tags TEXT, release_at TEXT, variants TEXT,
  synced TEXT, pending INTEGER, domain TEXT
);
CREATE TABLE streams (address TEXT, stream TEXT, register TEXT, at TEXT, reason TEXT);
CREATE TABLE history (
  address TEXT, at TEXT, kind TEXT, type TEXT, sub_type TEXT, action TEXT, status_code TEXT, diagnostic_code TEXT,
  message_id TEXT, configuration_set TEXT, tags TEXT, verdict TEXT, rule TEXT, effect TEXT, reason TEXT, stream TEXT,
  sender_fault TEXT, caller TEXT, operation TEXT
);
"""
_INDEXES = """
CREATE INDEX contacts_by_status ON contacts (status, since);
CREATE INDEX streams_by_address ON streams (address);
CREATE INDEX history_by_address ON history (address, at);
"""
_AT_ONCE = 1_000
_CONTACT = (*(name for name in FIELDS if name != "known"), "domain")
_FEEDBACK = "type sub_type action status_code diagnostic_code message_id configuration_set tags verdict rule effect"
_HISTORY = ("address", "at", "kind", *_FEEDBACK.split(), "reason", "stream", "sender_fault", "caller", "operation")


def write_sqlite(path: Path, found: Iterable[Found], limits: Limits) -> int:
    """Write the contacts to a new file and return their number. An incomplete file is deleted.

    Raises:
        OSError: the file cannot be written.

    """
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        number = _write(partial, found, limits)
        partial.rename(path)
    except sqlite3.Error as error:
        raise OSError(0, f"the SQLite file cannot be written: {error}", str(path)) from None
    finally:
        partial.unlink(missing_ok=True)
    return number


def _write(path: Path, found: Iterable[Found], limits: Limits) -> int:
    connection = sqlite3.connect(path)
    number = 0
    try:
        connection.executescript(_SCHEMA)
        for some in batched(found, _AT_ONCE):
            with connection:
                for one in some:
                    _insert(connection, one, limits)
            number += len(some)
        connection.executescript(_INDEXES)
    finally:
        connection.close()
    return number


def _insert(connection: sqlite3.Connection, found: Found, limits: Limits) -> None:
    contact = found.record.contact
    address = contact.address
    fields = describe_contact(found.record, limits) | {"domain": address.rpartition("@")[2]}
    _insert_rows(connection, "contacts", [[_value(fields[name]) for name in _CONTACT]])
    registers = {"unsubscribed_from": contact.unsubscribed_from, "opted_into": contact.opted_into}
    streams = [
        [address, stream, register, format_timestamp(evidence.at), evidence.reason]
        for register, entries in registers.items()
        for stream, evidence in entries
    ]
    _insert_rows(connection, "streams", streams)
    entries = [{"address": address, **describe_entry(entry)} for entry in found.history]
    _insert_rows(connection, "history", [[_value(entry.get(name, "")) for name in _HISTORY] for entry in entries])


def _insert_rows(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[object]]) -> None:
    if rows:
        places = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608 (a table of this module)


def _value(value: object) -> object:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    # Lone surrogates are not text.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
