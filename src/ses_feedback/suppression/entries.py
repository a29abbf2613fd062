"""List entries of a contact, and the lines of an import object that put or delete them."""

import json
from collections.abc import Iterable, Iterator

from ses_feedback.address import parse_address
from ses_feedback.contacts.contact import Contact
from ses_feedback.contacts.status import UNLISTED
from ses_feedback.judging.facts import ListReason
from ses_feedback.judging.recipients import is_simulator


def entries_of(contact: Contact, required: ListReason | None) -> tuple[str, ...]:
    """Return the address variants to put on the list, or, without a required reason, to delete from it.

    SES keeps the variants that differ in the case of the local part as separate entries:
    https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
    """
    entries = contact.variants or (contact.address,)
    return entries if required else tuple(dict.fromkeys((*entries, contact.address)))


def is_importable(entries: Iterable[str]) -> bool:
    """Return True if SES certainly accepts all `entries`: one rejected entry would make the whole job fail.

    SES does not list the addresses of its mailbox simulator:
    https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html
    A local part must be ASCII:
    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html
    Quoted local parts are excluded as well, to be safe.
    """
    return all(entry.isascii() and '"' not in entry and not is_simulator(entry) for entry in entries)


def object_lines(entries: Iterable[str], required: ListReason | None) -> str:
    """Return the lines of a job's object that put `entries` on the list with the reason, or that delete them.

    https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
    """
    reason = {"reason": required.value} if required else {}
    return "".join(json.dumps({"emailAddress": entry, **reason}, separators=(",", ":")) + "\n" for entry in entries)


def synced_values(text: str) -> dict[str, str]:
    """Return the contacts in a job's object: address → the value of `synced` after the job completed."""
    return dict(_read_lines(text))


def _read_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            yield parse_address(entry["emailAddress"]).key, str(entry.get("reason", UNLISTED))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # not written by this module: not JSON, not an entry, or not an address
