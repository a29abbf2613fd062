"""The recipients of the demo, and the status that each contact must reach."""

from typing import NamedTuple

from localaws.suppression_list.entries import SIMULATOR_DOMAIN

_SIMULATED = ("success", "bounce", "ooto", "complaint", "suppressionlist")
_NAMES = "ann bea cid dan eli fay gus hal ida jon kim leo may ned ola pam"
_STATUSES = {
    "success": "active",
    "bounce": "bounced",
    "ooto": "active",
    "complaint": "complained",
    "suppressionlist": "bounced",
    "mailboxfull": "bouncing",
    # The delivery does not clear the soft bounce of the same email.
    "latefull": "bouncing",
}


class Recipients(NamedTuple):
    """The recipients of one run. Their addresses contain the run's name, which distinguishes them from earlier runs."""

    run: str
    simulated: tuple[str, ...]
    deliverable: tuple[str, ...]
    soft_bouncing: tuple[str, ...]
    suppressed: tuple[str, ...]
    reader: str
    """A person who leaves the newsletter, and still gets receipts."""

    @property
    def all(self) -> tuple[str, ...]:
        """All recipients of the first email, in the order of sending."""
        return (*self.simulated, *self.deliverable, *self.soft_bouncing, *self.suppressed)

    @property
    def remarkable(self) -> tuple[str, ...]:
        """The recipients that the screen shows one by one."""
        return (*self.simulated, *self.soft_bouncing, *self.suppressed)


def create_recipients(run: str) -> Recipients:
    """Return the recipients of a run: the mailbox simulator's, and others at example.com."""
    return Recipients(
        run,
        tuple(f"{outcome}+{run}@{SIMULATOR_DOMAIN}" for outcome in _SIMULATED),
        tuple(f"{name}.{run}@example.com" for name in _NAMES.split()),
        (f"mailboxfull+sue.{run}@example.com", f"latefull+max.{run}@example.com"),
        (f"bounce+bob.{run}@example.com", f"complaint+zoe.{run}@example.com"),
        f"nia.{run}@example.com",
    )


def expected_status(address: str) -> str:
    """Return the status that the contact must reach after the first email."""
    return _STATUSES.get(address.partition("+")[0], "active")


def shorten_address(address: str, run: str) -> str:
    """Return an address without the run's name and with a short simulator domain."""
    return address.replace(f"+{run}", "").replace(f".{run}", "").replace(SIMULATOR_DOMAIN, "simulator")
