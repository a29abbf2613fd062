"""Match the recipients that a bounce names with the recipients that the email was sent to.

The name in a bounce is the `Final-Recipient` of a DSN, which any receiver of the email can write
(https://www.rfc-editor.org/rfc/rfc3464#section-4). `mail.destination` is SES's own list of recipients
(https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#mail-object).
"""

from collections.abc import Sequence
from functools import cached_property

from ses_feedback.address import Address, AddressError, parse_address

SIMULATOR_DOMAIN = "simulator.amazonses.com"
"""Domain of the mailbox simulator: https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html."""
_AT_SIMULATOR = "@" + SIMULATOR_DOMAIN
SIMULATOR = "simulator"
"""Configuration set that email to the mailbox simulator is counted under."""
MAX_PARSED = 100
"""Named recipients that are parsed for one bounce. An email has at most 50
(https://docs.aws.amazon.com/ses/latest/dg/quotas.html); further names match only letter by letter."""


class EmailRecipients:
    """The recipients that one email was sent to."""

    def __init__(self, destination: Sequence[str] | None) -> None:
        """Take `mail.destination`; None or empty means that the recipients are unknown."""
        self._destination = tuple(destination or ())
        self._parsed = 0

    @cached_property
    def _by_key(self) -> dict[str, Address]:
        """Usable addresses of the recipients by key, without duplicates."""
        parsed = (parse_or_none(raw) for raw in self._destination)
        return {address.key: address for address in parsed if address}

    @property
    def known(self) -> bool:
        """True if SES published the recipients."""
        return bool(self._destination)

    @property
    def only(self) -> Address | None:
        """The only recipient, or None if there are several or none."""
        return next(iter(self._by_key.values()), None) if len(self._destination) == 1 else None

    @property
    def simulated(self) -> bool:
        """True if the email went to the mailbox simulator only."""
        for raw in self._destination:
            if not raw.rstrip("> ").lower().endswith(_AT_SIMULATOR):
                return False
        return self.known

    @property
    def exhausted(self) -> bool:
        """True if `MAX_PARSED` names were parsed."""
        return self._parsed >= MAX_PARSED

    def parse(self, raw: str | None) -> Address | None:
        """Return the address in `raw`, or None if there is none or too many names were parsed before."""
        if not raw or (self._parsed >= MAX_PARSED and not self.holds(raw)):
            return None
        self._parsed += 1
        return parse_or_none(raw)

    def holds(self, raw: str | None) -> bool:
        """True if the email was sent to `raw`, letter by letter."""
        return raw in self._destination

    def find(self, named: Address) -> Address | None:
        """Return the recipient that `named` stands for, as mailed, or None if the email was not sent to it.

        Keys are compared first. Without a match, `+tag` is ignored on both sides if exactly one recipient matches then.
        """
        mailed = self._by_key.get(named.key)
        if mailed:
            return mailed
        bare = _without_tag(named.key)
        matching = [address for key, address in self._by_key.items() if _without_tag(key) == bare]
        return matching[0] if len(matching) == 1 else None

    def as_mailed(self, named: Address) -> Address:
        """Return `named` with the address variant of the email, or with none if the email was not sent to it."""
        return self._by_key.get(named.key) or Address(named.key, "")


def parse_or_none(raw: str) -> Address | None:
    """Return the address in `raw`, or None if there is no usable one."""
    try:
        return parse_address(raw)
    except AddressError:
        return None


def domain_of(address: Address) -> str:
    """Return the domain of an address."""
    return address.key.rpartition("@")[2]


def is_simulator(key: str) -> bool:
    """True if the contact key is an address of the mailbox simulator."""
    return key.endswith(_AT_SIMULATOR)


def _without_tag(key: str) -> str:
    local, at, domain = key.rpartition("@")
    return local.partition("+")[0] + at + domain if "+" in local else key
