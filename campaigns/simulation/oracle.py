"""The expected contact, status and list entry, computed from all facts of a case. Shares no code with `ses_feedback`.

Each rule is a function of its own: `expected_registers` (the merge), `expected_status` (strongest first) and
`required_entry` (the suppression list). `holds_fact` states when a stored contact contains one fact.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zlib import crc32

from campaigns.simulation.case import Case
from campaigns.simulation.messages import START, ReportedFact

Item = Mapping[str, Mapping[str, Any]]
Registers = dict[str, Any]
"""Register attributes as the table names them."""

RANKS = {"active": 0, "bouncing": 1, "suspended": 2, "unsubscribed": 3, "bounced": 4, "complained": 5}
"""Statuses, weakest first."""
_EVIDENCE = (
    "complained",
    "bounced",
    "globally_suppressed",
    "nameless",
    "unsubscribed",
    "listed_bounce",
    "listed_complaint",
    "soft_bounced",
    "cleared",
    "opted_in",
)
_PARTS = ("at", "reason", "configuration_set", "message_id", "status_code")
_NUMBERS = ("delivered", "soft_bounces", "nameless_days", "releases")
_ECHO_GRACE = timedelta(days=1)
"""Time after a reinstatement in which echoes still report the entry that is being removed."""
_MAX_LATENESS = 7
_MAX_RELEASES = 4
_RETENTION = timedelta(days=60)
_DAY = 86_400_000 << 32
"""Numbers of the emails of one day."""
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the stack on which a status or a list entry depends."""

    soft_bounces: int
    list_unsubscribed: bool
    list_suspended: bool = False
    suspension_days: int = 0
    window_days: int = 90
    deliveries_published: bool = True

    @classmethod
    def of(cls, case: Case) -> "Settings":
        """Return the settings of the stack of `case`."""
        return cls(
            case.soft_bounces,
            case.list_unsubscribed,
            case.list_suspended,
            case.suspension_days,
            case.window_days,
            case.deliveries_published,
        )

    @property
    def window(self) -> int:
        """`SoftBounceWindowDays`; 0 means automatic: a year, or 60 days if deliveries are not published."""
        return self.window_days or (365 if self.deliveries_published else 60)


@dataclass(frozen=True, slots=True)
class Command:
    """A reinstatement that an operator made: `kind` is `cleared` or `opted_in`."""

    kind: str
    at: str


def expected_registers(
    address: str, facts: Iterable[ReportedFact], commands: Sequence[Command], releases: Iterable[int] = ()
) -> Registers:
    """Return the registers of `address` after `facts` about it, operators' `commands` and `releases` by sweeps."""
    facts = [fact for fact in facts if fact.register]
    evidence = _expected_evidence(facts, commands)
    numbers = {**_expected_numbers(facts), "releases": set(releases)}
    registers: Registers = {
        f"{name}_{part}": text
        for name, parts in evidence.items()
        for part, text in zip(_PARTS, parts, strict=True)
        if text
    }
    registers |= {name: _kept(name, found) for name, found in numbers.items() if found}
    soft = [fact for fact in facts if fact.register in _SOFT]
    late = max((min(_days_late(fact), _MAX_LATENESS) for fact in soft), default=0)
    variants = {fact.variant for fact in facts} | ({address} if commands else set())
    return {
        **registers,
        **({"late": late} if late else {}),
        **{name: requests for name in _BY_STREAM if (requests := _latest_requests(name, facts))},
        "variants": sorted(variants),
    }


def _latest_requests(register: str, facts: Iterable[ReportedFact]) -> dict[str, tuple[str, ...]]:
    """Return the latest opt-out or opt-in of each stream."""
    latest: dict[str, tuple[str, ...]] = {}
    for fact in facts:
        if fact.register == register:
            latest[fact.stream] = max(latest.get(fact.stream, _evidence_of(fact)), _evidence_of(fact))
    return latest


_BY_STREAM = ("unsubscribed_from", "opted_into")
"""Registers that have evidence by stream."""
_WITHOUT_SINGLE_EVIDENCE = frozenset({"delivered", *_BY_STREAM})
_SOFT = frozenset({"soft_bounced", "nameless"})
"""Facts that are soft bounces."""


def _expected_evidence(facts: Sequence[ReportedFact], commands: Sequence[Command]) -> dict[str, tuple[str, ...]]:
    """Return the latest evidence of each register."""
    evidence: dict[str, tuple[str, ...]] = {}
    for name, new in (
        *((fact.register, _evidence_of(fact)) for fact in facts if fact.register not in _WITHOUT_SINGLE_EVIDENCE),
        *(("soft_bounced", _evidence_of(fact)) for fact in facts if fact.register in _SOFT),
        *((command.kind, (command.at, "operator", "", "", "")) for command in commands),
    ):
        evidence[name] = max(evidence.get(name, new), new)
    return evidence


def _expected_numbers(facts: Sequence[ReportedFact]) -> dict[str, set[int]]:
    return {
        "delivered": {email_number(fact) for fact in facts if fact.register == "delivered"},
        "soft_bounces": {email_number(fact) for fact in facts if fact.register in _SOFT},
        "nameless_days": {email_number(fact) // _DAY for fact in facts if fact.register == "nameless"},
    }


def _evidence_of(fact: ReportedFact) -> tuple[str, ...]:
    return fact.at, fact.reason, fact.configuration_set, fact.message_id, fact.status_code


def _days_late(fact: ReportedFact) -> int:
    return (date.fromisoformat(fact.at[:10]) - date.fromisoformat(fact.mailed_at[:10])).days


def email_number(fact: ReportedFact) -> int:
    """Return the number of the email that a fact is about: when it was sent, and a hash of its id."""
    sent = datetime.fromisoformat(fact.mailed_at).astimezone(UTC)
    milliseconds = round(sent.timestamp() * 1000)
    return (milliseconds << 32) + crc32(fact.message_id.encode())


def days_of(numbers: Iterable[int]) -> set[int]:
    """Return the days of emails with these numbers."""
    return {number // _DAY for number in numbers}


def earliest_expiry(delivered: Iterable[int]) -> int:
    """Return the virtual time (microseconds) before which a contact with these deliveries must not expire."""
    last = timedelta(milliseconds=max(delivered) >> 32) + _RETENTION
    return (last - (START - datetime(1970, 1, 1, tzinfo=UTC))) // timedelta(microseconds=1)


def _kept(name: str, numbers: set[int]) -> list[int]:
    """Return the numbers that a contact keeps: of each day the first delivery, and the first two soft bounces."""
    a_day = {"delivered": 1, "soft_bounces": 2}.get(name)
    if a_day is None:
        return sorted(numbers)[-{"nameless_days": 2, "releases": _MAX_RELEASES}[name] :]
    by_day: dict[int, list[int]] = {}
    for number in sorted(numbers):
        by_day.setdefault(number // _DAY, []).append(number)
    return [number for day in sorted(by_day)[-37:] for number in by_day[day][:a_day]]


def expected_status(registers: Mapping[str, Any], settings: Settings) -> str:
    """Return the status of a contact with these registers."""
    opted_in, cleared = registers.get("opted_in_at", ""), registers.get("cleared_at", "")
    reinstated = max(opted_in, cleared)
    if registers.get("complained_at", "") > opted_in or _echo(registers, "complaint") > _graced(opted_in):
        return "complained"
    if _is_bounced(registers, reinstated, settings):
        return "bounced"
    if "*" in expected_opt_outs(registers):
        return "unsubscribed"
    days = counting_days(registers, settings)
    if not days:
        return "active"
    run = _suspends(days, settings)
    return "suspended" if run and max(registers.get("releases", [-1])) < days[-1] else "bouncing"


def counting_days(registers: Mapping[str, Any], settings: Settings) -> list[int]:
    """Return the soft-bounce days after the last clean delivery and the last reinstatement.

    Without deliveries, the end of a suspension counts as a clean delivery.
    """
    since = _reset_day(registers)
    if not settings.deliveries_published:
        since = max(since, *registers.get("releases", [-1]))
    return [day for day in bounced_days(registers) if day > since]


def suspension_end(registers: Mapping[str, Any], settings: Settings) -> datetime | None:
    """Return when a suspended contact may be tried again, or None if it stays suspended.

    The time doubles with each release since the last clean delivery or reinstatement; after four there is no other.
    """
    since = _reset_day(registers)
    previous = sum(day > since for day in registers.get("releases", ()))
    days = counting_days(registers, settings)
    if not settings.suspension_days or previous >= _MAX_RELEASES or not days:
        return None
    ends = _EPOCH + timedelta(days=days[-1] + settings.suspension_days * 2**previous)
    return datetime(ends.year, ends.month, ends.day, tzinfo=UTC)


def _reset_day(registers: Mapping[str, Any]) -> int:
    reinstated = max(registers.get("opted_in_at", ""), registers.get("cleared_at", ""))
    return max(last_clean_day(registers), _day_number(reinstated))


def expected_evidence(registers: Mapping[str, Any], settings: Settings) -> tuple[str, str]:
    """Return the time and the reason of the status of a contact: first-hand evidence first, then lists of SES."""
    names: tuple[str, ...]
    match expected_status(registers, settings):
        case "active":
            return "", ""
        case "complained":
            names = ("complained", "listed_complaint")
            since = registers.get("opted_in_at", "")
        case "bounced":
            names = ("bounced", "nameless", "globally_suppressed", "listed_bounce")
            since = max(registers.get("opted_in_at", ""), registers.get("cleared_at", ""))
            if sum(day > _day_number(since) for day in registers.get("nameless_days", ())) < 2:
                names = ("bounced", "globally_suppressed", "listed_bounce")
        case "unsubscribed":
            names, since = ("unsubscribed",), registers.get("opted_in_at", "")
        case _:
            names, since = ("soft_bounced",), ""
    name = next(one for one in names if registers.get(f"{one}_at", "") > since)
    return registers[f"{name}_at"], registers[f"{name}_reason"]


def expected_opt_outs(registers: Mapping[str, Any]) -> list[str]:
    """Return what the person opted out of: names of streams, and `*` for all email."""
    requests = {stream: evidence[0] for stream, evidence in registers.get("unsubscribed_from", {}).items()}
    requests["*"] = registers.get("unsubscribed_at", "")
    opt_ins = registers.get("opted_into", {})
    return sorted(
        stream
        for stream, at in requests.items()
        if at > registers.get("opted_in_at", "") and at >= opt_ins.get(stream, ("",))[0]
    )


def restores_streams(before: Item, after: Item) -> bool:
    """True if a write removed an opt-out of a stream without the person's own request."""
    if any(before.get(name) != after.get(name) for name in ("opted_in_at", "opted_into")):
        return False
    return not set(opted_out_streams(before)) <= set(opted_out_streams(after))


def opted_out_streams(item: Item) -> list[str]:
    """Return the streams that a contact's item excludes."""
    return [name["S"] for name in item.get("no_streams", {"L": []})["L"]]


def _is_bounced(registers: Mapping[str, Any], reinstated: str, settings: Settings) -> bool:
    if max(registers.get("bounced_at", ""), registers.get("globally_suppressed_at", "")) > reinstated:
        return True
    if sum(day > _day_number(reinstated) for day in registers.get("nameless_days", ())) > 1:
        return True
    echo = _echo(registers, "bounce")
    if echo <= _graced(reinstated):
        return False
    # With ListSuspended, an echo of the entry that the stack itself put for a suspension is no evidence.
    days = [day for day in bounced_days(registers) if day <= _day_number(echo)]
    return not (settings.list_suspended and _suspends(days, settings))


def bounced_days(registers: Mapping[str, Any]) -> list[int]:
    """Return the days of emails with a soft bounce, in order."""
    return sorted({number // _DAY for number in registers.get("soft_bounces", ())})


def _suspends(days: list[int], settings: Settings) -> bool:
    return len(days) >= 30 or any(
        sum(first <= day <= first + settings.window for day in days) >= settings.soft_bounces for first in days
    )


def last_clean_day(registers: Mapping[str, Any]) -> int:
    """Return the last day with a delivery of an email that did not bounce and no longer can."""
    delivered, bounced = registers.get("delivered", []), registers.get("soft_bounces", [])
    clean = [-1]
    for number in delivered:
        same_day = [one for one in bounced if one // _DAY == number // _DAY]
        dirty = number in same_day or (len(same_day) == 2 and number > max(same_day))
        if not dirty and number // _DAY + registers.get("late", 0) <= max(delivered) // _DAY:
            clean.append(number // _DAY)
    return max(clean)


def _echo(registers: Mapping[str, Any], kind: str) -> str:
    return str(registers.get(f"listed_{kind}_at", ""))


def _graced(reinstated: str) -> str:
    return _add(reinstated, _ECHO_GRACE) if reinstated else ""


def _day_number(at: str) -> int:
    return (date.fromisoformat(at[:10]) - _EPOCH).days if at else -1


def may_weaken(status: str, before: Registers, after: Registers, settings: Settings) -> bool:
    """True if a contact's `status` may become weaker when its registers change from `before` to `after`.

    Only a later clean delivery or a release ends `suspended` and `bouncing`, and only the person's own opt-in ends
    `unsubscribed`. Of the reinstatements, `opted_in` overrides everything, `cleared` no complaint and no opt-out.
    """

    def grows(name: str) -> bool:
        return bool(before.get(name) != after.get(name))

    if grows("opted_in_at"):
        return True
    if status in {"suspended", "bouncing"}:
        cleared_by_delivery = last_clean_day(after) > last_clean_day(before)
        return grows("cleared_at") or cleared_by_delivery or (status == "suspended" and grows("releases"))
    if status == "bounced":
        return grows("cleared_at") or _rests_on_own_entry(before, after, settings)
    return status == "unsubscribed" and grows("opted_into")


def _rests_on_own_entry(before: Registers, after: Registers, settings: Settings) -> bool:
    """True if `before` is bounced because of an echo alone, and it turns out that the stack put the entry itself.

    With ListSuspended, soft bounces that arrive after an echo, or a later echo, can show that.
    """
    echoed = {name: value for name, value in before.items() if not name.startswith("listed_bounce")}
    only_echo = expected_status(echoed, settings) != "bounced"
    return settings.list_suspended and only_echo and after.get("soft_bounces") is not None


def required_entry(status: str, settings: Settings) -> str:
    """Return the reason of the suppression-list entry that a contact of this status requires, or "" for none."""
    if status == "complained" or (status == "unsubscribed" and settings.list_unsubscribed):
        return "COMPLAINT"
    return "BOUNCE" if status == "bounced" or (status == "suspended" and settings.list_suspended) else ""


def stored_registers(item: Item) -> Registers:
    """Return the registers of a contact's item, in the form of `expected_registers`."""
    texts = [f"{name}_{part}" for name in _EVIDENCE for part in _PARTS]
    registers: Registers = {name: item[name]["S"] for name in texts if name in item}
    registers |= {name: [int(one["N"]) for one in item[name]["L"]] for name in _NUMBERS if name in item}
    if "late" in item:
        registers["late"] = int(item["late"]["N"])
    for name in _BY_STREAM:
        if name in item:
            registers[name] = {
                stream: tuple(evidence["M"].get(part, {"S": ""})["S"] for part in _PARTS)
                for stream, evidence in item[name]["M"].items()
            }
    return registers | {"variants": [one["S"] for one in item["variants"]["L"]]}


def holds_fact(item: Item | None, fact: ReportedFact) -> bool:
    """True if a contact's item (None: there is none) contains `fact`."""
    if not fact.register:
        return True
    if item is None:
        return False
    registers = stored_registers(item)
    if fact.variant not in registers["variants"]:
        return False
    alone = expected_registers(fact.address, [fact], [])
    both = {name: _joined(name, registers.get(name), value) for name, value in alone.items() if name in _JOINED}
    if any(registers.get(name) != value for name, value in both.items()):
        return False
    if fact.register in _WITHOUT_SINGLE_EVIDENCE:
        return True
    return tuple(registers.get(f"{fact.register}_{part}", "") for part in _PARTS) >= _evidence_of(fact)


_JOINED = frozenset({"delivered", "soft_bounces", "nameless_days", "late", *_BY_STREAM})


def _joined(name: str, stored: Any, new: Any) -> Any:  # noqa: ANN401 (numbers, a number, or evidence by stream)
    """Return what a register must hold if it holds `new`."""
    if stored is None:
        return new
    if name == "late":
        return max(stored, new)
    if name in _BY_STREAM:
        return stored | {stream: max(evidence, stored.get(stream, evidence)) for stream, evidence in new.items()}
    return _kept(name, {*stored, *new})


def _add(at: str, duration: timedelta) -> str:
    """Return an SES timestamp plus `duration`; its milliseconds stay as they are."""
    return f"{datetime.fromisoformat(at) + duration:%Y-%m-%dT%H:%M:%S}{at[19:]}"
