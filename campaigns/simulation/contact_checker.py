"""Checks of the final state of a contact: its status, its expiry, its list entry and its published events."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from campaigns.simulation.aws_services import SuppressionEntries
from campaigns.simulation.expiry import FOREIGN_ATTRIBUTE
from campaigns.simulation.messages import is_simulator
from campaigns.simulation.oracle import (
    RANKS,
    Registers,
    Settings,
    expected_evidence,
    expected_opt_outs,
    expected_status,
    opted_out_streams,
    required_entry,
    suspension_end,
)
from tests.support.dynamodb_table import Item

UNSENDABLE = RANKS["suspended"]
"""Rank of the weakest status with which bulk email must not be sent."""


class ContactChecker:
    """Checks contacts at the end of a run, against the registers that they must have."""

    def __init__(
        self,
        settings: Settings,
        suppressed: SuppressionEntries,
        published: Sequence[dict[str, Any]],
        foreign: Collection[str],
        add_violation: Callable[[str, str], None],
    ) -> None:
        """Compare contacts with the entries of `suppressed` and the events in `published`.

        `foreign` has the contacts with an attribute of another application. Pass the promise and a description of each
        violation to `add_violation`.
        """
        self._settings = settings
        self._suppressed = suppressed
        self._published = published
        self._foreign = foreign
        self._add_violation = add_violation

    def check(self, address: str, item: Item, expected: Registers) -> None:
        """Check the status of a contact, its expiry and its effects. `expected` are its registers."""
        self._check_status(address, item, expected)
        self._check_expiry(address, item, expected)

    def _check_status(self, address: str, item: Item, expected: Registers) -> None:
        """Check the status of a contact, its evidence and its index key (P1), and its effects (P4)."""
        status = expected_status(expected, self._settings)
        unsendable = RANKS[status] >= UNSENDABLE
        if (item["status"]["S"], item["may_send"]["BOOL"]) != (status, not unsendable):
            self._add_violation("P1", f"{address} is {item['status']['S']} instead of {status}")
        # SES sends receipts unless its list has an entry.
        answer = item["may_send_transactional"]["BOOL"], opted_out_streams(item)
        streams = [name for name in expected_opt_outs(expected) if name != "*"]
        if answer != (not required_entry(status, self._settings), streams):
            self._add_violation("P1", f"{address} is {status} without {streams}, but its item says {answer}")
        shown = tuple(item.get(name, {"S": ""})["S"] for name in ("status_at", "reason"))
        if shown != (evidence := expected_evidence(expected, self._settings)):
            self._add_violation("P1", f"{address} is {status} because of {shown} instead of {evidence}")
        if ("unsendable" in item) != unsendable:
            self._add_violation("P1", f"{address} is {status}, but its key of the index Unsendable is wrong")
        if status == "suspended" and suspension_end(expected, self._settings):
            self._add_violation("P4", f"{address} is still suspended")
        # Feedback of the mailbox simulator reaches neither the list nor subscribers of events.
        published = "active" if is_simulator(address) else status
        self._check_list(address, item, published)
        self._check_events(address, item, published)
        self._check_preferences(address, item, [] if is_simulator(address) else expected_opt_outs(expected))

    def _check_expiry(self, address: str, item: Item, expected: Registers) -> None:
        """Check that a contact with deliveries only expires (P8), and that foreign attributes are kept (P1)."""
        is_foreign = address in self._foreign
        if is_foreign != (FOREIGN_ATTRIBUTE in item):
            self._add_violation("P1", f"{address} lost the attribute of another application")
        expires = not is_foreign and expected.keys() <= {"delivered", "variants"}
        if ("expires_at" in item) != expires:
            self._add_violation("P8", f"{address} must {'' if expires else 'not '}expire: {sorted(item)}")

    def _check_list(self, address: str, item: Item, status: str) -> None:
        """Check that the suppression list has the required entries (P4), and that no work is pending (P4)."""
        variants = {variant["S"] for variant in item["variants"]["L"]}
        entries = {
            variant: reason for variant, reason in self._suppressed.entries.items() if variant.lower() == address
        }
        required = required_entry(status, self._settings)
        if set(entries.values()) != ({required} if required else set()):
            self._add_violation("P4", f"{address} is {status}, and the list holds {entries}")
        # If the stack wrote the entry of the key, it also wrote the entries of all other variants.
        if required and address in self._suppressed.written and not variants - {address} <= set(entries):
            self._add_violation("P4", f"{address} is {status}, and the list holds {entries} of the variants {variants}")
        if "pending_shard" in item or "lease" in item:
            self._add_violation("P4", f"{address} is still pending or leased")

    def _check_events(self, address: str, item: Item, status: str) -> None:
        events = self._events(address, "Contact Status Changed", "new_status")
        latest = max(events)[1] if events else "active"
        if item["published_status"]["S"] != status or latest != status:
            self._add_violation("P4", f"{address} is {status}, and was published as {events}")

    def _check_preferences(self, address: str, item: Item, opted_out: list[str]) -> None:
        events = self._events(address, "Contact Preferences Changed", "opted_out")
        latest = max(events)[1] if events else []
        published = [name["S"] for name in item.get("published_opted_out", {"L": []})["L"]]
        if (latest, published) != (opted_out, opted_out):
            self._add_violation("P4", f"{address} opted out of {opted_out}, and was published as {events}")

    def _events(self, address: str, detail_type: str, field: str) -> list[tuple[int, Any]]:
        """Return the rev and a field of each published event of a contact."""
        return [
            (event["rev"], event[field])
            for event in self._published
            if (event["address"], event["detail-type"]) == (address, detail_type)
        ]
