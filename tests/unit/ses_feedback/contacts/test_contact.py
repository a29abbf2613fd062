"""What a contact becomes of what SES says of it, how it stands, and what the suppression list should hold of it."""

from datetime import date, timedelta

import pytest
from msgspec.structs import astuple, fields

from ses_feedback.contacts.contact import (
    EVIDENCE_REGISTERS,
    KEPT_SOFT_BOUNCE_DAYS,
    KEPT_VARIANTS,
    Contact,
    Evidence,
    changes_contact,
    fold,
    merge,
    observed,
)
from ses_feedback.contacts.status import (
    ECHO_GRACE,
    UNLISTED,
    Limits,
    Standing,
    Status,
    counting_soft_bounce_days,
    latest_listed,
    list_reason,
    needs_list_call,
    standing,
)
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Fact, ListReason, Verdict
from tests.support.builders import (
    AT,
    CONFIGURATION_SET,
    OTHER_RECIPIENT,
    RECIPIENT,
    START,
    a_contact,
    a_fact,
    an_echo,
    on_day,
    soft_bounce_days,
)

LIMITS = Limits(soft_bounces=3, window_days=10)
NOTHING = Contact(RECIPIENT)
SECOND = timedelta(seconds=1)
EVIDENCE = Evidence(AT, "Permanent/General", CONFIGURATION_SET)


def day(number: int) -> date:
    """Return the UTC day `number` days after `START`."""
    return on_day(number).date()


def status(contact: Contact, limits: Limits = LIMITS) -> Status:
    """Return how `contact` stands."""
    return standing(contact, limits).status


def test_the_numbers_are_those_of_the_design() -> None:
    """README, template and runbook name them."""
    assert (30, 16, timedelta(hours=24)) == (KEPT_SOFT_BOUNCE_DAYS, KEPT_VARIANTS, ECHO_GRACE)
    assert Limits(soft_bounces=5, window_days=90, list_unsubscribed=False) == Limits()


def test_statuses_have_the_names_that_applications_read() -> None:
    """In items, events and README, strongest first."""
    names = ["complained", "bounced", "unsubscribed", "suspended", "bouncing", "active"]
    assert (names, "NONE") == ([status.value for status in Status], UNLISTED)


def test_of_a_new_contact_nothing_is_known() -> None:
    """What is not said is empty."""
    assert astuple(Contact(RECIPIENT)) == (RECIPIENT, (), *[None] * 8, ())
    assert Evidence(AT, "", "") == Evidence(AT)
    assert Standing(Status.ACTIVE, None) == Standing(Status.ACTIVE)


def test_every_register_of_evidence_is_named() -> None:
    """One that is not would never be stored."""
    assert {one.name for one in fields(Contact) if one.type == Evidence | None} == set(EVIDENCE_REGISTERS)
    assert len(EVIDENCE_REGISTERS) == len(set(EVIDENCE_REGISTERS))


# --- Facts become registers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "learnt"),
    [
        (a_fact(Verdict.COMPLAIN), {"complained": EVIDENCE}),
        (a_fact(Verdict.SUPPRESS), {"bounced": EVIDENCE}),
        (a_fact(Verdict.UNSUBSCRIBE), {"unsubscribed": EVIDENCE}),
        (a_fact(Verdict.SOFT_BOUNCE), {"soft_bounced": EVIDENCE, "soft_bounce_days": (AT.date(),)}),
        (a_fact(Verdict.DELIVERED), {"delivered_on": AT.date()}),
        (an_echo(ListReason.BOUNCE), {"listed_bounce": EVIDENCE}),
        (an_echo(ListReason.COMPLAINT), {"listed_complaint": EVIDENCE}),
        (a_fact(Verdict.ECHO), {}),
        (a_fact(Verdict.NOTE), {}),
        (a_fact(Verdict.NOTE, listed=ListReason.BOUNCE), {}),
        (a_fact(Verdict.COUNT), {}),
        (a_fact(Verdict.IGNORE), {}),
    ],
    ids=lambda value: f"{value.verdict} {value.listed or ''}" if isinstance(value, Fact) else None,
)
def test_each_verdict_has_its_register(fact: Fact, learnt: dict[str, object]) -> None:
    """And touches no other."""
    assert replace(Contact(RECIPIENT, variants=(RECIPIENT,)), **learnt) == observed(fact)  # type: ignore[arg-type]


def test_only_verdicts_with_a_register_change_a_contact() -> None:
    """The others are history at most: they cost no write of the contact."""
    changing = {verdict for verdict in Verdict if changes_contact(verdict)}
    assert {"SUPPRESS", "COMPLAIN", "UNSUBSCRIBE", "ECHO", "SOFT_BOUNCE", "DELIVERED"} == changing


@pytest.mark.parametrize("register", [*EVIDENCE_REGISTERS, "delivered_on"])
def test_every_register_keeps_the_latest_of_both_contacts(register: str) -> None:
    """Whichever of them knows it, and whether or not the other knows anything."""

    def knowing(number: int) -> Contact:
        known = day(number) if register == "delivered_on" else Evidence(on_day(number))
        return replace(NOTHING, **{register: known})  # type: ignore[arg-type]

    earlier, later = knowing(0), knowing(1)
    merged = [merge(*pair) for pair in ((earlier, later), (later, earlier), (later, NOTHING), (NOTHING, later))]
    assert [later] * 4 == merged


def test_merging_unites_spellings_and_days() -> None:
    """In order, each once, whichever contact has them."""
    one = Contact(RECIPIENT, variants=("b", "c"), soft_bounce_days=(day(1), day(2)))
    other = Contact(RECIPIENT, variants=("a", "b"), soft_bounce_days=(day(0), day(1)))
    both = Contact(RECIPIENT, variants=("a", "b", "c"), soft_bounce_days=(day(0), day(1), day(2)))
    assert [both, both, one, one] == [merge(one, other), merge(other, one), merge(one, NOTHING), merge(NOTHING, one)]


def test_a_register_keeps_the_latest() -> None:
    """In whichever order the two come."""
    earlier, later = a_fact(at=AT, reason="Permanent/NoEmail"), a_fact(at=AT + SECOND)
    for order in ([earlier, later], [later, earlier]):
        assert a_contact(*order).bounced == replace(EVIDENCE, at=AT + SECOND)


def test_of_two_at_one_time_a_register_keeps_one() -> None:
    """Always the same one, or the order would show."""
    facts = [a_fact(reason="Permanent/General"), a_fact(reason="Permanent/NoEmail")]
    for order in (facts, facts[::-1]):
        assert a_contact(*order).bounced == replace(EVIDENCE, reason="Permanent/NoEmail")


def test_a_strike_counts_once_a_day() -> None:
    """A day is a UTC day."""
    assert (day(0), day(2)) == a_contact(*soft_bounce_days(2, 0, 0.1, 0.4, 2.2)).soft_bounce_days


def test_a_contact_keeps_its_latest_strikes() -> None:
    """So that it stays small, however long a mailbox stays full."""
    assert (
        tuple(map(day, range(5, 5 + KEPT_SOFT_BOUNCE_DAYS)))
        == a_contact(*soft_bounce_days(*range(5 + KEPT_SOFT_BOUNCE_DAYS))).soft_bounce_days
    )


def test_a_contact_keeps_the_least_of_its_spellings() -> None:
    """Which ones is all the same, as long as it is always the same ones."""
    spelt = [f"{'A' * n}{'a' * (40 - n)}@example.com" for n in range(41)]
    contact = a_contact(*(a_fact(address=one) for one in spelt), address=spelt[0])
    assert tuple(sorted(spelt)[:KEPT_VARIANTS]) == contact.variants


def test_only_contacts_of_one_address_merge() -> None:
    """Everything else is a bug, which must not spread."""
    with pytest.raises(ValueError, match="of one address"):
        merge(Contact(RECIPIENT), Contact(OTHER_RECIPIENT))


def test_a_contact_that_learns_nothing_stays() -> None:
    """Not even its variants."""
    contact = a_contact(a_fact(), *soft_bounce_days(1))
    assert contact == fold(contact, [])


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("address", [RECIPIENT, RECIPIENT.upper()])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_delivery_hides_nothing_that_comes_after_it(verdict: Verdict, address: str, number: int) -> None:
    """One more of its day, or of a day before, is nothing new, but another verdict, day or variant is."""
    contact = a_contact(a_fact(Verdict.DELIVERED, on_day(1)))
    fact = a_fact(verdict, on_day(number), address=address)
    assert merge(contact, observed(fact)) == fold(contact, [fact])


# --- Standing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([], Standing(Status.ACTIVE)),
        ([a_fact(Verdict.DELIVERED)], Standing(Status.ACTIVE)),
        ([a_fact(Verdict.NOTE)], Standing(Status.ACTIVE)),
        ([a_fact(Verdict.SOFT_BOUNCE)], Standing(Status.BOUNCING, EVIDENCE)),
        ([*soft_bounce_days(-2, -1), a_fact(Verdict.SOFT_BOUNCE)], Standing(Status.SUSPENDED, EVIDENCE)),
        ([*soft_bounce_days(1, 2, 3), a_fact(Verdict.UNSUBSCRIBE)], Standing(Status.UNSUBSCRIBED, EVIDENCE)),
        (
            [*soft_bounce_days(1, 2, 3), a_fact(Verdict.UNSUBSCRIBE, on_day(9)), a_fact()],
            Standing(Status.BOUNCED, EVIDENCE),
        ),
        ([an_echo()], Standing(Status.BOUNCED, EVIDENCE)),
        ([an_echo(at=START), a_fact()], Standing(Status.BOUNCED, EVIDENCE)),
        ([a_fact(Verdict.COMPLAIN), a_fact(at=on_day(9))], Standing(Status.COMPLAINED, EVIDENCE)),
        ([an_echo(ListReason.COMPLAINT), an_echo(at=on_day(9))], Standing(Status.COMPLAINED, EVIDENCE)),
        ([a_fact(Verdict.COMPLAIN, START), an_echo(ListReason.COMPLAINT)], Standing(Status.COMPLAINED, EVIDENCE)),
    ],
)
def test_the_strongest_register_gives_the_status(facts: list[Fact], expected: Standing) -> None:
    """However old it is, and the latest evidence of that strength says why."""
    assert expected == standing(a_contact(*facts), LIMITS)


@pytest.mark.parametrize("status", Status)
def test_only_the_active_and_the_bouncing_may_be_mailed(status: Status) -> None:
    """A soft bounce or two stop nothing."""
    assert (status in {Status.ACTIVE, Status.BOUNCING}) == status.may_send == Standing(status).may_send


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((0, 1), Status.BOUNCING),
        ((0, 1, 2), Status.SUSPENDED),
        ((0, 5, 10), Status.SUSPENDED),
        ((0, 5, 11), Status.BOUNCING),
        ((0, 11, 22, 33), Status.BOUNCING),
        ((0, 1, 2, 100), Status.SUSPENDED),
        ((0, 100, 101, 102), Status.SUSPENDED),
        ((0, 11, 21, 21.2), Status.BOUNCING),
    ],
)
def test_strikes_within_the_window_suspend(days: tuple[float, ...], expected: Status) -> None:
    """Any run of them, or one more soft_bounce long afterwards would lift the suspension."""
    assert expected is status(a_contact(*soft_bounce_days(*days)))


def test_one_strike_can_be_enough() -> None:
    """When the stack says so."""
    assert status(a_contact(*soft_bounce_days(0)), Limits(soft_bounces=1)) is Status.SUSPENDED


def test_as_many_strikes_as_are_kept_suspend() -> None:
    """The run that suspended may have been dropped; that many days without a delivery are enough."""
    apart = [number * (LIMITS.window_days + 1) for number in range(KEPT_SOFT_BOUNCE_DAYS)]
    assert [status(a_contact(*soft_bounce_days(*days))) for days in (apart[:-1], apart)] == [
        Status.BOUNCING,
        Status.SUSPENDED,
    ]


@pytest.mark.parametrize(("delivered", "left"), [(-1, (0, 1, 2)), (0, (1, 2)), (1, (2,)), (2, ()), (9, ())])
def test_a_delivery_clears_the_strikes_up_to_its_day(delivered: int, left: tuple[int, ...]) -> None:
    """Days have no order within them, and the mailbox worked that day."""
    contact = a_contact(*soft_bounce_days(0, 1, 2), a_fact(Verdict.DELIVERED, on_day(delivered)))
    assert tuple(map(day, left)) == counting_soft_bounce_days(contact)


def test_a_delivery_lifts_a_suspension() -> None:
    """And nothing stronger."""
    delivery = a_fact(Verdict.DELIVERED, on_day(3))
    assert status(a_contact(*soft_bounce_days(0, 1, 2), delivery)) is Status.ACTIVE
    for verdict, stays in (
        (Verdict.UNSUBSCRIBE, Status.UNSUBSCRIBED),
        (Verdict.SUPPRESS, Status.BOUNCED),
        (Verdict.COMPLAIN, Status.COMPLAINED),
    ):
        assert stays is status(a_contact(a_fact(verdict), delivery))


# --- Reinstatement --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [Verdict.COMPLAIN, Verdict.SUPPRESS, Verdict.UNSUBSCRIBE, Verdict.SOFT_BOUNCE])
@pytest.mark.parametrize(("after", "counts"), [(timedelta(0), False), (timedelta(days=1), True)])
def test_only_what_is_newer_than_a_reinstatement_counts(verdict: Verdict, after: timedelta, counts: bool) -> None:  # noqa: FBT001 (expected)
    """Whichever of the two is known first."""
    contact = a_contact(a_fact(verdict, AT + after), opted_in=AT)
    assert counts is (status(contact) is not Status.ACTIVE)


@pytest.mark.parametrize("reason", ListReason)
@pytest.mark.parametrize(("after", "counts"), [(timedelta(0), False), (ECHO_GRACE, False), (ECHO_GRACE + SECOND, True)])
def test_an_echo_soon_after_a_reinstatement_does_not_count(reason: ListReason, after: timedelta, counts: bool) -> None:  # noqa: FBT001 (expected)
    """It tells of the entry that the reinstatement is having removed."""
    contact = a_contact(an_echo(reason, AT + after), opted_in=AT)
    assert counts is (status(contact) is not Status.ACTIVE)


def test_a_reinstatement_clears_the_strikes_up_to_its_day() -> None:
    """A later delivery clears more, an earlier one no less."""
    contact = a_contact(*soft_bounce_days(0, 1, 2, 3), opted_in=on_day(1))
    assert (day(2), day(3)) == counting_soft_bounce_days(contact)
    for delivered, left in ((0, (day(2), day(3))), (2, (day(3),))):
        assert left == counting_soft_bounce_days(fold(contact, [a_fact(Verdict.DELIVERED, on_day(delivered))]))


# --- The suppression list -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.COMPLAINED, ListReason.COMPLAINT),
        (Status.BOUNCED, ListReason.BOUNCE),
        (Status.SUSPENDED, ListReason.BOUNCE),
        (Status.UNSUBSCRIBED, None),
        (Status.BOUNCING, None),
        (Status.ACTIVE, None),
    ],
)
def test_the_list_mirrors_the_status(status: Status, expected: ListReason | None) -> None:
    """The unsubscribed stay off it: it stops transactional mail too."""
    assert expected is list_reason(status, LIMITS)


def test_the_stack_may_list_the_unsubscribed() -> None:
    """As complaints, and no one else besides."""
    limits = replace(LIMITS, list_unsubscribed=True)
    changed = {status for status in Status if list_reason(status, limits) is not list_reason(status, LIMITS)}
    assert ({Status.UNSUBSCRIBED}, ListReason.COMPLAINT) == (changed, list_reason(Status.UNSUBSCRIBED, limits))


def test_every_status_needs_a_mirror() -> None:
    """A new one fails here first, and not as an address that stays off the list."""
    with pytest.raises(AssertionError, match="exhausted"):
        list_reason("exhausted", LIMITS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([], None),
        ([a_fact()], None),
        ([an_echo()], ListReason.BOUNCE),
        ([an_echo(ListReason.COMPLAINT)], ListReason.COMPLAINT),
        ([an_echo(), an_echo(ListReason.COMPLAINT, AT + SECOND)], ListReason.COMPLAINT),
        ([an_echo(ListReason.COMPLAINT), an_echo(at=AT + SECOND)], ListReason.BOUNCE),
        ([an_echo(), an_echo(ListReason.COMPLAINT)], ListReason.COMPLAINT),
    ],
)
def test_the_latest_echo_tells_what_the_list_held(facts: list[Fact], expected: ListReason | None) -> None:
    """What we know of an entry that we did not write."""
    assert expected is latest_listed(a_contact(*facts))


BOUNCED = a_contact(a_fact())
LISTED = a_contact(an_echo())
SUSPENDED = a_contact(*soft_bounce_days(0, 2, 3))


@pytest.mark.parametrize(
    ("old", "facts", "synced", "due"),
    [
        pytest.param(NOTHING, [a_fact()], None, True, id="a bounce"),
        pytest.param(NOTHING, [a_fact(Verdict.COMPLAIN)], None, True, id="a complaint"),
        pytest.param(NOTHING, soft_bounce_days(0, 1, 2), None, True, id="soft_bounce_days that suspend"),
        pytest.param(NOTHING, soft_bounce_days(0, 1), None, False, id="soft_bounce_days that do not"),
        pytest.param(NOTHING, [a_fact(Verdict.DELIVERED)], None, False, id="a delivery"),
        pytest.param(NOTHING, [a_fact(Verdict.UNSUBSCRIBE)], None, False, id="an unsubscription"),
        pytest.param(NOTHING, [an_echo()], None, False, id="an echo says the list holds it"),
        pytest.param(LISTED, [an_echo(at=on_day(2))], None, False, id="another echo says so again"),
        pytest.param(LISTED, [an_echo(ListReason.COMPLAINT)], None, False, id="and another that its reason changed"),
        pytest.param(
            a_contact(an_echo(ListReason.COMPLAINT)), [an_echo(at=on_day(2))], None, True, id="changed to a weaker one"
        ),
        pytest.param(LISTED, [a_fact()], None, True, id="a bounce says it was not blocked"),
        pytest.param(BOUNCED, [a_fact(at=on_day(2))], "BOUNCE", True, id="another bounce says it was not blocked"),
        pytest.param(BOUNCED, soft_bounce_days(3), "BOUNCE", True, id="a soft_bounce says it was not blocked"),
        pytest.param(SUSPENDED, soft_bounce_days(3.1), "BOUNCE", True, id="so does another on the day of the last"),
        pytest.param(SUSPENDED, soft_bounce_days(1), "BOUNCE", True, id="so does one of a day before"),
        pytest.param(
            a_contact(a_fact(Verdict.COMPLAIN)),
            [a_fact(Verdict.COMPLAIN, on_day(2))],
            "COMPLAINT",
            True,
            id="another complaint says it was not blocked",
        ),
        pytest.param(BOUNCED, [a_fact(Verdict.DELIVERED)], "BOUNCE", False, id="a delivery may be older"),
        pytest.param(BOUNCED, [an_echo()], "BOUNCE", False, id="an echo of what we wrote"),
        pytest.param(BOUNCED, [an_echo(ListReason.COMPLAINT)], "BOUNCE", True, id="an echo of something stronger"),
        pytest.param(BOUNCED, [a_fact(Verdict.UNSUBSCRIBE)], "BOUNCE", False, id="weaker evidence"),
        pytest.param(
            a_contact(*soft_bounce_days(0, 1, 2)),
            [a_fact(Verdict.DELIVERED, on_day(3))],
            "BOUNCE",
            True,
            id="a lifted suspension",
        ),
        pytest.param(
            a_contact(*soft_bounce_days(0)),
            soft_bounce_days(1),
            UNLISTED,
            False,
            id="a soft_bounce that does not suspend",
        ),
        pytest.param(
            a_contact(a_fact(Verdict.UNSUBSCRIBE)),
            soft_bounce_days(1),
            UNLISTED,
            False,
            id="a soft_bounce of one who opted out",
        ),
        pytest.param(
            LISTED,
            soft_bounce_days(1),
            "BOUNCE",
            False,
            id="a soft_bounce that does not, on the list for another reason",
        ),
        pytest.param(
            a_contact(an_echo(ListReason.COMPLAINT)),
            soft_bounce_days(1),
            "COMPLAINT",
            False,
            id="or for a complaint heard of",
        ),
        pytest.param(
            BOUNCED, [a_fact(address="RECIPIENT@example.com", at=START)], "BOUNCE", True, id="another variant"
        ),
        pytest.param(
            BOUNCED, [a_fact(Verdict.NOTE, address="RECIPIENT@example.com")], None, True, id="never written so far"
        ),
        pytest.param(BOUNCED, [], "BOUNCE", False, id="nothing"),
    ],
)
def test_the_list_is_written_when_it_may_not_hold_what_it_should(
    old: Contact,
    facts: list[Fact],
    synced: str | None,
    due: bool,  # noqa: FBT001 (expected)
) -> None:
    """A call of SES takes a second, so none is made to say what the list holds already."""
    assert due is needs_list_call(old, fold(old, facts), LIMITS, synced)


@pytest.mark.parametrize("synced", [None, UNLISTED, "BOUNCE"])
@pytest.mark.parametrize("old", [NOTHING, BOUNCED, LISTED])
def test_a_reinstatement_always_writes_the_list(old: Contact, synced: str | None) -> None:
    """It may hold an entry that nobody told of."""
    new = merge(old, Contact(RECIPIENT, opted_in=Evidence(on_day(5))))
    assert needs_list_call(old, new, LIMITS, synced)


def test_old_news_of_a_reinstated_contact_writes_nothing() -> None:
    """What no longer counts says nothing of the list."""
    old = a_contact(opted_in=on_day(5))
    old = merge(old, Contact(RECIPIENT, variants=(RECIPIENT,)))
    assert not needs_list_call(old, fold(old, [a_fact(), an_echo()]), LIMITS, UNLISTED)
