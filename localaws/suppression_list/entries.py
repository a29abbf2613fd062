"""The entries of the suppression list: their form, and a table that finds them by exact address or in any case."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from localaws.suppression_list.errors import BadRequestError, NotFoundError

SIMULATOR_DOMAIN = "simulator.amazonses.com"
"""The domain of the mailbox simulator: https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html."""


class SuppressionReason(StrEnum):
    """The reason of an entry."""

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


class Attributes(NamedTuple):
    """The message and the feedback that made SES add an entry."""

    message_id: str
    feedback_id: str


@dataclass(frozen=True, slots=True)
class SuppressedDestination:
    """One entry of the list. `attributes` is None unless SES itself added the entry.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SuppressedDestination.html
    """

    email_address: str
    reason: SuppressionReason
    last_update_time: datetime
    attributes: Attributes | None = None


class EntryTable:
    """The entries of one list.

    SES ignores case when it sends, but the API operations match the local part exactly. So entries are indexed by the
    lower-cased address, and below it by the exact address variant.
    """

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, SuppressedDestination]] = {}

    def store(self, entry: SuppressedDestination) -> None:
        """Add an entry, or replace the one with exactly the same address."""
        self._entries.setdefault(entry.email_address.lower(), {})[entry.email_address] = entry

    def remove(self, address: str) -> None:
        """Remove the entry with exactly this address, if there is one."""
        variants = self._entries.get(address.lower(), {})
        variants.pop(address, None)
        if not variants:
            self._entries.pop(address.lower(), None)

    def find(self, address: str) -> SuppressedDestination:
        """Return the entry with exactly this address.

        Raises:
            NotFoundError: there is no such entry.
        """
        entry = self._entries.get(address.lower(), {}).get(address)
        if entry is None:
            raise NotFoundError(f"Email address {address} does not exist on your suppression list.")
        return entry

    def find_variants(self, address: str) -> list[SuppressedDestination]:
        """Return the entries of every address variant that differs from `address` in case only."""
        return list(self._entries.get(address.lower(), {}).values())

    def all(self) -> list[SuppressedDestination]:
        """Return every entry, sorted by address."""
        every_entry = (entry for variants in self._entries.values() for entry in variants.values())
        return sorted(every_entry, key=lambda entry: entry.email_address)


def is_simulator(address: str) -> bool:
    """Return True if the address belongs to the mailbox simulator. `address` has a lower-case domain."""
    return address.endswith(f"@{SIMULATOR_DOMAIN}")


def lower_domain(email_address: str) -> str:
    """Return the address as the list stores it: trimmed, with the domain in lower case and the local part unchanged."""
    local_part, at, domain = email_address.strip().rpartition("@")
    return f"{local_part}{at}{domain.lower()}"


def parse_address(email_address: str) -> str:
    """Return the address as the list stores it.

    SES does not support SMTPUTF8, so the local part is ASCII and the domain is in Punycode
    (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html). Whether SES checks this when an
    entry is put is not known; the stricter behavior is assumed.

    Raises:
        BadRequestError: the text is not an address.
    """
    address = lower_domain(email_address)
    if not address:
        raise BadRequestError("EmailAddress is required.")
    local_part, _, domain = address.rpartition("@")
    if not (local_part and domain and address.isascii()):
        raise BadRequestError("Invalid email address.")
    return address


def parse_reason(value: object, field: str, *, in_list: bool = False) -> SuppressionReason:
    """Return the reason that `value` names. `field` is its field in the request, a list if `in_list`.

    Raises:
        BadRequestError: there is no such reason.
    """
    if value in tuple(SuppressionReason):
        return SuppressionReason(str(value))
    constraint = "Member must satisfy enum value set: [BOUNCE, COMPLAINT]"
    if in_list:
        constraint = f"Member must satisfy constraint: [{constraint}]"
    raise BadRequestError(f"1 validation error detected: Value at '{field}' failed to satisfy constraint: {constraint}")
