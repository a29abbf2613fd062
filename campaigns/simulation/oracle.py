"""What must come of a case, from the distinct things its messages mean, in plain code that shares nothing with src."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from campaigns.simulation.messages import Meant

Item = Mapping[str, Mapping[str, Any]]

RANKS = {"active": 0, "bouncing": 1, "suspended": 2, "unsubscribed": 3, "bounced": 4, "complained": 5}
"""Statuses, the weakest first."""
_WINDOW = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Choices:
    """What the stack's owner chose."""

    soft_bounces: int
    list_unsubscribed: bool


def registers(address: str, meant: Iterable[Meant], opted_in: Iterable[str]) -> dict[str, Any]:
    """Return the registers, as the table names them, of an address of which all this was said."""
    known: dict[str, tuple[str, str, str]] = {}
    soft_bounce_days: set[str] = set()
    found: dict[str, Any] = {}
    variants: set[str] = set()
    for one in meant:
        if not one.register:
            continue
        variants.add(one.variant)
        if one.register == "delivered":
            found["delivered_on"] = max(found.get("delivered_on", ""), one.at[:10])
            continue
        if one.register == "soft_bounced":
            soft_bounce_days.add(one.at[:10])
        told = one.at, one.reason, one.configuration_set
        known[one.register] = max(known.get(one.register, told), told)
    for at in opted_in:
        variants.add(address)
        known["opted_in"] = max(known.get("opted_in", ("", "", "")), (at, "operator", ""))
    for name, (at, reason, configuration_set) in known.items():
        found |= {f"{name}_at": at, f"{name}_reason": reason, f"{name}_configuration_set": configuration_set}
    return found | {"soft_bounce_days": sorted(soft_bounce_days), "variants": sorted(variants)}


def status(known: Mapping[str, Any], choices: Choices) -> str:
    """Return the status these registers come to."""
    opted_in = known.get("opted_in_at", "")
    # For a day after a reinstatement, echoes tell of the entry that is being removed.
    graced = _a_day_after(opted_in) if opted_in else ""
    for name, evidence in (
        ("complained", ("complained_at", "listed_complaint_at")),
        ("bounced", ("bounced_at", "listed_bounce_at")),
        ("unsubscribed", ("unsubscribed_at",)),
    ):
        if any(known.get(one, "") > (graced if "listed" in one else opted_in) for one in evidence):
            return name
    since = max(known.get("delivered_on", ""), opted_in[:10])
    days = [date.fromisoformat(day) for day in known.get("soft_bounce_days", ()) if day > since]
    for first in days:
        if sum(first <= day <= first + _WINDOW for day in days) >= choices.soft_bounces:
            return "suspended"
    return "bouncing" if days else "active"


def _a_day_after(at: str) -> str:
    return f"{datetime.fromisoformat(at) + timedelta(days=1):%Y-%m-%dT%H:%M:%S}{at[19:]}"


def listing(name: str, choices: Choices) -> str:
    """Return the reason a contact of this status is on the suppression list for, empty when it is not."""
    if name == "complained" or (name == "unsubscribed" and choices.list_unsubscribed):
        return "COMPLAINT"
    return "BOUNCE" if name in {"bounced", "suspended"} else ""


def held(item: Item) -> dict[str, Any]:
    """Return the registers of a contact's item, in the same words as `registers`."""
    names = ("complained", "bounced", "unsubscribed", "listed_bounce", "listed_complaint", "soft_bounced", "opted_in")
    texts = ["delivered_on", *(f"{name}_{part}" for name in names for part in ("at", "reason", "configuration_set"))]
    found: dict[str, Any] = {name: item[name]["S"] for name in texts if name in item}
    for name in ("soft_bounce_days", "variants"):
        found[name] = [one["S"] for one in item[name]["L"]] if name in item else []
    return found


def knows(item: Item | None, one: Meant) -> bool:
    """Say whether a contact's item holds what a message said of it."""
    if not one.register:
        return True
    if item is None:
        return False
    known = held(item)
    if one.variant not in known["variants"]:
        return False
    if one.register == "delivered":
        return bool(known.get("delivered_on", "") >= one.at[:10])
    if one.register == "soft_bounced" and one.at[:10] not in known["soft_bounce_days"]:
        return False
    parts = (known.get(f"{one.register}_{part}", "") for part in ("at", "reason", "configuration_set"))
    return tuple(parts) >= (one.at, one.reason, one.configuration_set)
