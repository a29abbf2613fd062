"""Registers of a contact, and their merge."""

from datetime import timedelta
from typing import Any, get_type_hints

import pytest

from ses_feedback.contacts.contact import (
    ALL_EMAIL,
    EVIDENCE_REGISTERS,
    KEPT_DAYS,
    KEPT_NAMELESS_DAYS,
    KEPT_RELEASES,
    KEPT_STREAMS,
    KEPT_VARIANTS,
    MAX_LATENESS,
    MAX_SOFT_BOUNCE_LIMIT,
    Contact,
    Evidence,
    changes_contact,
    contact_of,
    learn_facts,
    merge,
)
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Fact, ListReason, Register, Verdict
from ses_feedback.message_order import day_of_message, day_of_time, number_message
from tests.support.builders import (
    AT,
    CONFIGURATION_SET,
    MESSAGE_ID,
    OTHER_RECIPIENT,
    RECIPIENT,
    a_contact,
    a_fact,
    an_echo,
    an_opt_in,
    an_opt_out,
    on_day,
    soft_bounce_days,
)

NOTHING = Contact(RECIPIENT)
SECOND = timedelta(seconds=1)
EVIDENCE = Evidence(AT, "Permanent/General", CONFIGURATION_SET, MESSAGE_ID)


def day(number: int) -> int:
    """Return the UTC day `number` days after `START`, counted from 1970."""
    return day_of_time(on_day(number))


def message(number: float, message_id: str = "an-email") -> int:
    """Return the number of an email sent `number` days after `START`."""
    return number_message(on_day(number), message_id)


def test_bounds_of_the_registers_are_those_of_the_documentation() -> None:
    assert (MAX_SOFT_BOUNCE_LIMIT, MAX_LATENESS, KEPT_DAYS) == (30, 7, 37)
    assert (KEPT_VARIANTS, KEPT_STREAMS, KEPT_RELEASES, KEPT_NAMELESS_DAYS) == (16, 65, 4, 2)


def test_every_register_of_evidence_is_named() -> None:
    assert {name for name, kind in get_type_hints(Contact).items() if kind == Evidence | None} == set(
        EVIDENCE_REGISTERS
    )
    assert len(EVIDENCE_REGISTERS) == len(set(EVIDENCE_REGISTERS))


# --- Facts become registers -----------------------------------------------------------------------------------------

EMAIL = number_message(AT, Verdict.SOFT_BOUNCE.value)


@pytest.mark.parametrize(
    ("fact", "registers"),
    [
        (a_fact(Verdict.COMPLAIN), {"complained": EVIDENCE}),
        (a_fact(Verdict.SUPPRESS), {"bounced": EVIDENCE}),
        (a_fact(register=Register.GLOBALLY_SUPPRESSED), {"globally_suppressed": EVIDENCE}),
        (a_fact(Verdict.UNSUBSCRIBE), {"unsubscribed": EVIDENCE}),
        (an_opt_out("news"), {"unsubscribed_from": (("news", EVIDENCE),)}),
        (an_opt_in("news"), {"opted_into": (("news", EVIDENCE),)}),
        (a_fact(Verdict.SUBSCRIBE), {"opted_into": ((ALL_EMAIL, EVIDENCE),)}),
        (a_fact(Verdict.SOFT_BOUNCE), {"soft_bounced": EVIDENCE, "soft_bounces": (EMAIL,)}),
        (
            a_fact(Verdict.SOFT_BOUNCE, register=Register.NAMELESS),
            {"soft_bounced": EVIDENCE, "soft_bounces": (EMAIL,), "nameless": EVIDENCE, "nameless_days": (day(0),)},
        ),
        (a_fact(Verdict.DELIVERED), {"delivered": (number_message(AT, Verdict.DELIVERED.value),)}),
        (an_echo(ListReason.BOUNCE), {"listed_bounce": EVIDENCE}),
        (an_echo(ListReason.COMPLAINT), {"listed_complaint": EVIDENCE}),
        (a_fact(Verdict.NOTE), {}),
        (a_fact(Verdict.COUNT), {}),
        (a_fact(Verdict.IGNORE), {}),
    ],
    ids=lambda value: f"{value.verdict} {value.register} {value.stream}" if isinstance(value, Fact) else None,
)
def test_a_fact_is_merged_into_its_register_and_no_other(fact: Fact, registers: dict[str, Any]) -> None:
    assert replace(Contact(RECIPIENT, variants=(RECIPIENT,)), **registers) == contact_of(fact)


def test_evidence_of_bounces_and_complaints_keeps_status_code_and_tags() -> None:
    fact = a_fact()
    fact = replace(fact, details=replace(fact.details, status="5.1.1", tags=(("campaign", "september"),)))
    bounced = contact_of(fact).bounced
    assert bounced == replace(EVIDENCE, status_code="5.1.1", tags=(("campaign", "september"),))


@pytest.mark.parametrize(
    ("status", "status_code"),
    [
        ("5.1.1", "5.1.1"),
        (" 4.4.7 (delivery time expired)", "4.4.7"),
        ("5.7.999", "5.7.999"),
        (RECIPIENT, ""),
        (f"no mailbox {RECIPIENT} 5.1.1", ""),
        ("5.1.1000", ""),
        ("3.1.1", ""),
        ("5.1", ""),
        ("", ""),
    ],
)
def test_evidence_keeps_a_status_only_if_it_begins_with_an_enhanced_status_code(status: str, status_code: str) -> None:
    """The code is published with a change of status; any other text of a mail server may name an address."""
    fact = a_fact()
    bounced = contact_of(replace(fact, details=replace(fact.details, status=status))).bounced
    assert bounced
    assert bounced.status_code == status_code


def test_only_facts_with_a_register_change_a_contact() -> None:
    changing = {verdict for verdict in Verdict if changes_contact(a_fact(verdict))}
    assert changing == {"SUPPRESS", "COMPLAIN", "UNSUBSCRIBE", "SUBSCRIBE", "SOFT_BOUNCE", "DELIVERED"}
    assert changes_contact(an_echo())


def test_a_fact_without_a_variant_adds_none() -> None:
    fact = a_fact()
    fact = replace(fact, address=replace(fact.address, variant=""))
    assert contact_of(fact).variants == ()


# --- Merging --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("register", EVIDENCE_REGISTERS)
def test_a_register_of_evidence_keeps_the_latest_of_both_contacts(register: str) -> None:
    values: list[dict[str, Any]] = [{register: Evidence(on_day(number))} for number in (0, 1)]
    earlier, later = (replace(NOTHING, **one) for one in values)
    pairs = ((earlier, later), (later, earlier), (later, NOTHING), (NOTHING, later))
    assert [later] * 4 == [merge(*pair) for pair in pairs]


def test_variants_are_united_in_order() -> None:
    one, other = Contact(RECIPIENT, variants=("b", "c")), Contact(RECIPIENT, variants=("a", "b"))
    both = Contact(RECIPIENT, variants=("a", "b", "c"))
    assert [both, both, one, one] == [merge(one, other), merge(other, one), merge(one, NOTHING), merge(NOTHING, one)]


def test_of_two_facts_at_one_time_a_register_keeps_the_same_one_in_either_order() -> None:
    facts = [a_fact(reason="Permanent/General"), a_fact(reason="Permanent/NoEmail")]
    for order in (facts, facts[::-1]):
        assert a_contact(*order).bounced == replace(EVIDENCE, reason="Permanent/NoEmail")


def test_of_the_deliveries_of_a_day_the_earliest_email_is_kept() -> None:
    delivered = [a_fact(Verdict.DELIVERED, on_day(at), message_id="an-email") for at in (0.3, 0.1, 0.2, 1.1)]
    assert a_contact(*delivered).delivered == (message(0.1), message(1.1))


def test_of_the_soft_bounces_of_a_day_the_earliest_two_emails_are_kept() -> None:
    bounced = [a_fact(Verdict.SOFT_BOUNCE, on_day(at), message_id="an-email") for at in (0.3, 0.1, 0.4, 0.2)]
    assert a_contact(*bounced).soft_bounces == (message(0.1), message(0.2))


def test_five_bounces_of_one_email_dated_on_five_days_are_one_soft_bounce() -> None:
    facts = [a_fact(Verdict.SOFT_BOUNCE, on_day(at), mailed_at=on_day(0), message_id="an-email") for at in range(5)]
    contact = a_contact(*facts)
    assert (contact.soft_bounces, contact.late) == ((message(0),), 4)


@pytest.mark.parametrize(("late", "kept"), [(0, 0), (3, 3), (MAX_LATENESS, MAX_LATENESS), (20, MAX_LATENESS)])
def test_lateness_is_bounded(late: int, kept: int) -> None:
    assert a_contact(a_fact(Verdict.SOFT_BOUNCE, on_day(late), mailed_at=on_day(0))).late == kept


def test_the_latest_days_of_soft_bounces_and_deliveries_are_kept() -> None:
    days = range(5 + KEPT_DAYS)
    contact = a_contact(*soft_bounce_days(*days), *(a_fact(Verdict.DELIVERED, on_day(number)) for number in days))
    for numbers in (contact.soft_bounces, contact.delivered):
        assert [day(number) for number in range(5, 5 + KEPT_DAYS)] == [day_of_message(number) for number in numbers]


def test_the_latest_releases_and_nameless_days_are_kept() -> None:
    parts = [Contact(RECIPIENT, releases=(number,), nameless_days=(number,)) for number in range(9)]
    contact = NOTHING
    for part in parts:
        contact = merge(contact, part)
    assert (contact.releases, contact.nameless_days) == ((5, 6, 7, 8), (7, 8))


def test_the_least_names_of_streams_are_kept_with_their_latest_evidence() -> None:
    opt_outs = [an_opt_out(f"{number:03d}", on_day(at)) for number in range(KEPT_STREAMS + 5) for at in (1, 0)]
    kept = a_contact(*opt_outs).unsubscribed_from
    assert [f"{number:03d}" for number in range(KEPT_STREAMS)] == [name for name, _ in kept]
    assert {on_day(1)} == {evidence.at for _, evidence in kept}


def test_the_least_variants_are_kept() -> None:
    variants = [f"{'A' * n}{'a' * (40 - n)}@example.com" for n in range(41)]
    contact = a_contact(*(a_fact(address=one) for one in variants), address=variants[0])
    assert tuple(sorted(variants)[:KEPT_VARIANTS]) == contact.variants


def test_contacts_of_two_addresses_do_not_merge() -> None:
    with pytest.raises(ValueError, match="same address"):
        merge(Contact(RECIPIENT), Contact(OTHER_RECIPIENT))


def test_a_contact_without_new_facts_stays() -> None:
    contact = a_contact(a_fact(), *soft_bounce_days(1))
    assert contact == learn_facts(contact, [])


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("address", [RECIPIENT, RECIPIENT.upper()])
@pytest.mark.parametrize("number", [0, 0.5, 1, 1.5, 2])
@pytest.mark.parametrize("known", [[1], [0.7, 1.2], list(range(1, 1 + KEPT_DAYS))])
def test_recognizing_known_deliveries_changes_no_result(
    verdict: Verdict, address: str, number: float, known: list[float]
) -> None:
    contact = a_contact(*(a_fact(Verdict.DELIVERED, on_day(at)) for at in known))
    fact = a_fact(verdict, on_day(number), address=address)
    assert merge(contact, contact_of(fact)) == learn_facts(contact, [fact])
