"""The expected contact, status and list entry, computed from all facts of a case. Shares no code with `ses_feedback`.

Each rule is a function of its own: `expected_registers` (the merge), `expected_status` (strongest first) and
`required_entry` (the suppression list). `holds_fact` states when a stored contact contains one fact.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from campaigns.simulation.messages import ReportedFact

Item = Mapping[str, Mapping[str, Any]]
Registers = dict[str, Any]
"""Register attributes as the table names them."""

RANKS = {"active": 0, "bouncing": 1, "suspended": 2, "unsubscribed": 3, "bounced": 4, "complained": 5}
"""Statuses, weakest first."""
_EVIDENCE = ("complained", "bounced", "unsubscribed", "listed_bounce", "listed_complaint", "soft_bounced", "opted_in")
_EVIDENCE_PARTS = ("at", "reason", "configuration_set")
_STATUS_EVIDENCE = (
    ("complained", ("complained_at", "listed_complaint_at")),
    ("bounced", ("bounced_at", "listed_bounce_at")),
    ("unsubscribed", ("unsubscribed_at",)),
)
"""Statuses that evidence later than the reinstatement causes, strongest first."""
_WINDOW = timedelta(days=90)
_ECHO_GRACE = timedelta(days=1)
"""Time after a reinstatement in which echoes still report the entry that is being removed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the stack on which a status or a list entry depends."""

    soft_bounces: int
    list_unsubscribed: bool


def expected_registers(address: str, facts: Iterable[ReportedFact], opted_in: Iterable[str]) -> Registers:
    """Return the registers of `address` after all `facts` about it and reinstatements at the times `opted_in`."""
    evidence: dict[str, tuple[str, str, str]] = {}
    soft_bounce_days: set[str] = set()
    variants: set[str] = set()
    registers: Registers = {}
    for fact in facts:
        if not fact.register:
            continue
        variants.add(fact.variant)
        if fact.register == "delivered":
            registers["delivered_on"] = max(registers.get("delivered_on", ""), fact.at[:10])
            continue
        if fact.register == "soft_bounced":
            soft_bounce_days.add(fact.at[:10])
        new = fact.at, fact.reason, fact.configuration_set
        evidence[fact.register] = max(evidence.get(fact.register, new), new)
    for at in opted_in:
        variants.add(address)
        evidence["opted_in"] = max(evidence.get("opted_in", ("", "", "")), (at, "operator", ""))
    for name, parts in evidence.items():
        registers |= {f"{name}_{part}": text for part, text in zip(_EVIDENCE_PARTS, parts, strict=True)}
    return registers | {"soft_bounce_days": sorted(soft_bounce_days), "variants": sorted(variants)}


def expected_status(registers: Mapping[str, Any], settings: Settings) -> str:
    """Return the status of a contact with these registers."""
    opted_in = registers.get("opted_in_at", "")
    grace_ends = _add(opted_in, _ECHO_GRACE) if opted_in else ""
    for name, evidence in _STATUS_EVIDENCE:
        if any(registers.get(at, "") > (grace_ends if at.startswith("listed_") else opted_in) for at in evidence):
            return name
    since = max(registers.get("delivered_on", ""), opted_in[:10])
    days = [date.fromisoformat(day) for day in registers.get("soft_bounce_days", ()) if day > since]
    for first in days:
        if sum(first <= day <= first + _WINDOW for day in days) >= settings.soft_bounces:
            return "suspended"
    return "bouncing" if days else "active"


def required_entry(status: str, settings: Settings) -> str:
    """Return the reason of the suppression-list entry that a contact of this status requires, or "" for none."""
    if status == "complained" or (status == "unsubscribed" and settings.list_unsubscribed):
        return "COMPLAINT"
    return "BOUNCE" if status in {"bounced", "suspended"} else ""


def stored_registers(item: Item) -> Registers:
    """Return the registers of a contact's item, in the form of `expected_registers`."""
    texts = ["delivered_on", *(f"{name}_{part}" for name in _EVIDENCE for part in _EVIDENCE_PARTS)]
    registers: Registers = {name: item[name]["S"] for name in texts if name in item}
    for name in ("soft_bounce_days", "variants"):
        registers[name] = [element["S"] for element in item[name]["L"]] if name in item else []
    return registers


def holds_fact(item: Item | None, fact: ReportedFact) -> bool:
    """True if a contact's item (None: there is none) contains `fact`."""
    if not fact.register:
        return True
    if item is None:
        return False
    registers = stored_registers(item)
    if fact.variant not in registers["variants"]:
        return False
    if fact.register == "delivered":
        return bool(registers.get("delivered_on", "") >= fact.at[:10])
    if fact.register == "soft_bounced" and fact.at[:10] not in registers["soft_bounce_days"]:
        return False
    stored = tuple(registers.get(f"{fact.register}_{part}", "") for part in _EVIDENCE_PARTS)
    return stored >= (fact.at, fact.reason, fact.configuration_set)


def _add(at: str, duration: timedelta) -> str:
    """Return an SES timestamp plus `duration`; its milliseconds stay as they are."""
    return f"{datetime.fromisoformat(at) + duration:%Y-%m-%dT%H:%M:%S}{at[19:]}"
