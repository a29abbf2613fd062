"""Status of a contact, its reinstatement and release, and its required suppression-list entry."""

from datetime import timedelta
from typing import Any

import pytest

from ses_feedback.contacts.contact import KEPT_STREAMS, MAX_SOFT_BOUNCE_LIMIT, Contact, Evidence, learn_facts, merge
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
    opted_out,
    opted_out_streams,
    preference_evidence,
    release_time,
    released,
    standing,
)
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Fact, ListReason, Register, Verdict
from ses_feedback.message_order import day_of_time, start_of_day
from tests.support.builders import (
    AT,
    CONFIGURATION_SET,
    MESSAGE_ID,
    RECIPIENT,
    START,
    a_contact,
    a_fact,
    an_echo,
    an_opt_in,
    an_opt_out,
    on_day,
    soft_bounce_days,
)

LIMITS = Limits(soft_bounces=3, window_days=10)
NOTHING = Contact(RECIPIENT)
SECOND = timedelta(seconds=1)
EVIDENCE = Evidence(AT, "Permanent/General", CONFIGURATION_SET, MESSAGE_ID)


def day(number: int) -> int:
    """Return the UTC day `number` days after `START`, counted from 1970."""
    return day_of_time(on_day(number))


def status(contact: Contact, limits: Limits = LIMITS) -> Status:
    """Return the status of `contact`."""
    return standing(contact, limits).status


def test_defaults_are_those_of_the_template() -> None:
    assert timedelta(hours=24) == ECHO_GRACE
    defaults = Limits(
        soft_bounces=5,
        window_days=365,
        list_unsubscribed=False,
        list_suspended=False,
        suspension_days=30,
        deliveries_published=True,
    )
    assert defaults == Limits()


def test_statuses_have_the_names_that_applications_read() -> None:
    names = ["complained", "bounced", "unsubscribed", "suspended", "bouncing", "active"]
    assert (names, "NONE") == ([status.value for status in Status], UNLISTED)


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
        (
            [a_fact(Verdict.COMPLAIN), an_echo(ListReason.COMPLAINT, on_day(9))],
            Standing(Status.COMPLAINED, EVIDENCE),
        ),
        ([a_fact(), an_echo(at=on_day(9))], Standing(Status.BOUNCED, EVIDENCE)),
        (
            [a_fact(), a_fact(at=on_day(9), register=Register.GLOBALLY_SUPPRESSED)],
            Standing(Status.BOUNCED, EVIDENCE),
        ),
        ([a_fact(register=Register.GLOBALLY_SUPPRESSED)], Standing(Status.BOUNCED, EVIDENCE)),
        (
            [a_fact(register=Register.GLOBALLY_SUPPRESSED), an_echo(at=on_day(9))],
            Standing(Status.BOUNCED, EVIDENCE),
        ),
    ],
)
def test_the_strongest_register_gives_the_status_and_its_latest_evidence(facts: list[Fact], expected: Standing) -> None:
    assert expected == standing(a_contact(*facts), LIMITS)


@pytest.mark.parametrize("status", Status)
def test_only_active_and_bouncing_contacts_may_be_mailed(status: Status) -> None:
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
def test_soft_bounce_days_within_the_window_suspend_a_contact(days: tuple[float, ...], expected: Status) -> None:
    """A later soft bounce outside the window does not end the suspension."""
    assert expected is status(a_contact(*soft_bounce_days(*days)))


def test_a_limit_of_one_suspends_at_the_first_soft_bounce_day() -> None:
    assert status(a_contact(*soft_bounce_days(0)), Limits(soft_bounces=1)) is Status.SUSPENDED


def test_a_full_register_of_soft_bounce_days_suspends_at_any_distance() -> None:
    """Days that suspended the contact may have been dropped from the register."""
    apart = [number * (LIMITS.window_days + 1) for number in range(MAX_SOFT_BOUNCE_LIMIT)]
    assert [status(a_contact(*soft_bounce_days(*days))) for days in (apart[:-1], apart)] == [
        Status.BOUNCING,
        Status.SUSPENDED,
    ]


# --- Deliveries -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("delivered", "left"), [(-1, (0, 1, 2)), (0, (1, 2)), (1, (2,)), (2, ()), (9, ())])
def test_a_clean_delivery_clears_soft_bounce_days_up_to_its_own(delivered: int, left: tuple[int, ...]) -> None:
    contact = a_contact(*soft_bounce_days(0, 1, 2), a_fact(Verdict.DELIVERED, on_day(delivered)))
    assert tuple(map(day, left)) == counting_soft_bounce_days(contact, LIMITS)


def email(number: int, *, bounced_after: int | None = None, refused: bool = False) -> list[Fact]:
    """Return the feedback of an email sent on a day: a delivery unless it was refused, and perhaps a soft bounce."""
    about: dict[str, Any] = {"mailed_at": on_day(number), "message_id": f"email-{number}"}
    delivery = [] if refused else [a_fact(Verdict.DELIVERED, on_day(number), **about)]
    if bounced_after is None:
        return delivery
    return [*delivery, a_fact(Verdict.SOFT_BOUNCE, on_day(number + bounced_after), **about)]


def history(*emails: list[Fact]) -> list[Fact]:
    """Return the feedback of several emails."""
    return [fact for one in emails for fact in one]


@pytest.mark.parametrize("late", [0, 1, 5])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_delivery_never_clears_a_soft_bounce_of_the_same_email(late: int, *, backwards: bool) -> None:
    facts = history(*(email(number, bounced_after=late) for number in range(12)))
    assert status(a_contact(*(facts[::-1] if backwards else facts))) is Status.SUSPENDED


def test_sixty_days_of_deliveries_that_bounce_five_days_later_suspend_at_every_moment_after_the_limit() -> None:
    facts = sorted(history(*(email(number, bounced_after=5) for number in range(60))), key=lambda fact: fact.at)
    contact, reached = Contact(RECIPIENT), False
    for fact in facts:
        contact = learn_facts(contact, [fact])
        suspended = status(contact, Limits()) is Status.SUSPENDED
        assert suspended or not reached
        reached = reached or suspended
    assert reached


def test_twenty_emails_a_day_of_which_one_is_refused_do_not_suspend() -> None:
    about = [f"email-{number:02d}" for number in range(20)]
    facts = []
    for number in range(30):
        for index, name in enumerate(about):
            at = on_day(number + index / 100)
            verdict = Verdict.SOFT_BOUNCE if index == number % 20 else Verdict.DELIVERED
            facts.append(a_fact(verdict, at, mailed_at=at, message_id=name))
    assert status(a_contact(*facts), Limits()) is Status.ACTIVE


def test_more_soft_bounces_of_a_day_than_are_kept_make_its_delivery_uncertain() -> None:
    bounced = [a_fact(Verdict.SOFT_BOUNCE, on_day(at), message_id="an-email") for at in (0.1, 0.2, 0.3)]
    delivered = a_fact(Verdict.DELIVERED, on_day(0.4), message_id="an-email")
    assert status(a_contact(*bounced, delivered)) is Status.BOUNCING


@pytest.mark.parametrize(
    ("verdict", "stays"),
    [
        (Verdict.UNSUBSCRIBE, Status.UNSUBSCRIBED),
        (Verdict.SUPPRESS, Status.BOUNCED),
        (Verdict.COMPLAIN, Status.COMPLAINED),
    ],
)
def test_a_clean_delivery_ends_a_suspension_and_nothing_stronger(verdict: Verdict, stays: Status) -> None:
    delivery = a_fact(Verdict.DELIVERED, on_day(3))
    assert status(a_contact(*soft_bounce_days(0, 1, 2), delivery)) is Status.ACTIVE
    assert status(a_contact(a_fact(verdict), delivery)) is stays


def test_monthly_soft_bounces_suspend_within_the_automatic_window_of_a_year() -> None:
    monthly = soft_bounce_days(*range(0, 26 * 30, 30))
    statuses = [status(a_contact(*monthly[:number]), Limits()) for number in (4, 5, 26)]
    assert statuses == [Status.BOUNCING, Status.SUSPENDED, Status.SUSPENDED]


# --- Bounces without a recipient ------------------------------------------------------------------------------------


def nameless(at: float) -> Fact:
    """Return a permanent bounce that names no recipient."""
    return a_fact(Verdict.SOFT_BOUNCE, on_day(at), register=Register.NAMELESS)


def test_the_second_day_with_a_nameless_bounce_makes_a_contact_bounced() -> None:
    statuses = [status(a_contact(*map(nameless, days))) for days in ((0,), (0, 0.2), (0, 1), (0, 90))]
    assert statuses == [Status.BOUNCING, Status.BOUNCING, Status.BOUNCED, Status.BOUNCED]


def test_a_reinstatement_overrides_nameless_bounces_up_to_its_day() -> None:
    assert status(a_contact(nameless(0), nameless(2), cleared=on_day(0.5))) is Status.BOUNCING


# --- Releases -------------------------------------------------------------------------------------------------------

SUSPENDED_WITHOUT_END = Limits(soft_bounces=3, window_days=10, suspension_days=0)


def test_a_suspension_ends_after_the_configured_days_and_doubles_up_to_four_times() -> None:
    contact = a_contact(*soft_bounce_days(0, 1, 2))
    last, ends = 2, []
    for _ in range(4):
        ends_at = release_time(contact, LIMITS)
        assert ends_at is not None
        ends.append((ends_at - start_of_day(day(last))).days)
        contact = merge(contact, released(contact, LIMITS))
        assert status(contact) is Status.BOUNCING
        last += 200
        contact = learn_facts(contact, soft_bounce_days(last))
        assert status(contact) is Status.SUSPENDED
    assert ends == [30, 60, 120, 240]
    assert release_time(contact, LIMITS) is None


def test_a_clean_delivery_after_a_release_starts_the_doubling_anew() -> None:
    contact = a_contact(*soft_bounce_days(0, 1, 2))
    contact = merge(contact, released(contact, LIMITS))
    contact = learn_facts(contact, [a_fact(Verdict.DELIVERED, on_day(3)), *soft_bounce_days(4, 5, 6)])
    assert (status(contact), release_time(contact, LIMITS)) == (Status.SUSPENDED, start_of_day(day(6) + 30))


def test_a_soft_bounce_of_an_earlier_email_does_not_end_a_release() -> None:
    contact = a_contact(*soft_bounce_days(0, 1, 3))
    contact = learn_facts(merge(contact, released(contact, LIMITS)), soft_bounce_days(2))
    assert status(contact) is Status.BOUNCING


def test_a_suspension_without_an_end_is_never_released() -> None:
    assert release_time(a_contact(*soft_bounce_days(0, 1, 2)), SUSPENDED_WITHOUT_END) is None


def test_without_published_deliveries_a_release_counts_as_a_clean_delivery() -> None:
    unpublished = replace(LIMITS, deliveries_published=False)
    contact = a_contact(*soft_bounce_days(0, 1, 2))
    contact = merge(contact, released(contact, LIMITS))
    again = learn_facts(contact, soft_bounce_days(40))
    assert (status(contact, unpublished), status(again, unpublished)) == (Status.ACTIVE, Status.BOUNCING)


# --- Streams --------------------------------------------------------------------------------------------------------


def opt_out(stream: str, at: float = 0) -> Fact:
    """Return an opt-out from one stream."""
    return an_opt_out(stream, on_day(at))


def opt_in(stream: str = "", at: float = 0) -> Fact:
    """Return an opt-in to one stream, or to all email."""
    return an_opt_in(stream, on_day(at))


MANY = [opt_out(f"{number:03d}", number) for number in range(KEPT_STREAMS)]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([], ()),
        ([opt_out("news"), opt_out("ads")], ("ads", "news")),
        ([opt_out("news"), a_fact(Verdict.UNSUBSCRIBE)], ("*", "news")),
        ([a_fact(Verdict.UNSUBSCRIBE), opt_in(at=1)], ()),
        # The contact's status does not matter: a preference outlives a complaint.
        ([a_fact(Verdict.UNSUBSCRIBE), a_fact(Verdict.COMPLAIN)], ("*",)),
        (MANY, ("*", *(fact.stream for fact in MANY))),
    ],
)
def test_the_list_of_opt_outs_has_each_stream_and_all_email(facts: list[Fact], expected: tuple[str, ...]) -> None:
    assert opted_out(a_contact(*facts)) == expected


@pytest.mark.parametrize(
    ("name", "facts", "day"),
    [
        ("news", [opt_out("news", 1), opt_in("news", 2), opt_out("ads", 3)], 2),
        ("news", [opt_out("news", 2), opt_in("news", 1)], 2),
        ("news", [opt_in(at=3)], None),
        ("*", [a_fact(Verdict.UNSUBSCRIBE, on_day(1)), opt_in(at=2), opt_out("news", 3)], 2),
        ("*", [a_fact(Verdict.UNSUBSCRIBE, on_day(1)), opt_out("news", 3)], 1),
        ("*", MANY, KEPT_STREAMS - 1),
    ],
)
def test_the_evidence_of_a_preference_is_the_latest_request_about_its_name(
    name: str, facts: list[Fact], day: int | None
) -> None:
    evidence = preference_evidence(a_contact(*facts), name)
    assert (evidence and evidence.at) == (None if day is None else on_day(day))


def test_the_evidence_of_a_preference_is_the_persons_own_reinstatement_if_that_is_later() -> None:
    evidence = preference_evidence(a_contact(opt_out("news"), opted_in=on_day(1)), "news")
    assert evidence
    assert evidence.at == on_day(1)


@pytest.mark.parametrize(
    ("facts", "opted_out"),
    [
        ([opt_out("news")], ("news",)),
        ([opt_out("news", 1), opt_in("news", 0)], ("news",)),
        ([opt_out("news", 0), opt_in("news", 0)], ("news",)),
        ([opt_out("news", 0), opt_in("news", 1)], ()),
        ([opt_out("news", 0), opt_in("receipts", 1)], ("news",)),
        ([opt_out("news", 0), opt_in("", 1)], ("news",)),
        ([opt_out("receipts"), opt_out("news")], ("news", "receipts")),
    ],
)
def test_the_latest_request_for_a_stream_decides_and_an_opt_out_wins_a_tie(
    facts: list[Fact], opted_out: tuple[str, ...]
) -> None:
    contact = a_contact(*facts)
    assert (opted_out_streams(contact), status(contact)) == (opted_out, Status.ACTIVE)


def test_an_opt_in_to_all_email_ends_unsubscribed_and_nothing_else() -> None:
    again = opt_in("", 1)
    assert status(a_contact(a_fact(Verdict.UNSUBSCRIBE), again)) is Status.ACTIVE
    assert status(a_contact(a_fact(Verdict.UNSUBSCRIBE, on_day(1)), again)) is Status.UNSUBSCRIBED
    assert status(a_contact(a_fact(Verdict.UNSUBSCRIBE), opt_in("news", 1))) is Status.UNSUBSCRIBED
    for verdict, stays in ((Verdict.SUPPRESS, Status.BOUNCED), (Verdict.COMPLAIN, Status.COMPLAINED)):
        assert status(a_contact(a_fact(verdict), again)) is stays
    assert status(a_contact(*soft_bounce_days(0, 1, 2), opt_in("", 9))) is Status.SUSPENDED


def test_as_many_opt_outs_as_are_kept_count_as_unsubscribed() -> None:
    opt_outs = [opt_out(f"{number:02d}") for number in range(KEPT_STREAMS)]
    assert [status(a_contact(*opt_outs[:-1])), status(a_contact(*opt_outs))] == [Status.ACTIVE, Status.UNSUBSCRIBED]
    assert status(a_contact(*opt_outs, opted_in=on_day(1))) is Status.ACTIVE


# --- Reinstatement --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [Verdict.COMPLAIN, Verdict.SUPPRESS, Verdict.UNSUBSCRIBE, Verdict.SOFT_BOUNCE])
@pytest.mark.parametrize(("after", "counts"), [(timedelta(0), False), (timedelta(days=1), True)])
def test_only_evidence_newer_than_a_reinstatement_counts(verdict: Verdict, after: timedelta, counts: bool) -> None:  # noqa: FBT001 (expected)
    contact = a_contact(a_fact(verdict, AT + after), opted_in=AT)
    assert counts is (status(contact) is not Status.ACTIVE)


@pytest.mark.parametrize("reason", ListReason)
@pytest.mark.parametrize(("after", "counts"), [(timedelta(0), False), (ECHO_GRACE, False), (ECHO_GRACE + SECOND, True)])
def test_an_echo_within_the_grace_after_a_reinstatement_does_not_count(
    reason: ListReason,
    after: timedelta,
    counts: bool,  # noqa: FBT001 (expected)
) -> None:
    """It reports the entry that the reinstatement removes."""
    contact = a_contact(an_echo(reason, AT + after), opted_in=AT)
    assert counts is (status(contact) is not Status.ACTIVE)


def test_a_reinstatement_clears_the_soft_bounce_days_up_to_its_own() -> None:
    """A later delivery clears more of them, an earlier one none."""
    contact = a_contact(*soft_bounce_days(0, 1, 2, 3), opted_in=on_day(1))
    assert (day(2), day(3)) == counting_soft_bounce_days(contact, LIMITS)
    for delivered, left in ((0, (day(2), day(3))), (2, (day(3),))):
        known = learn_facts(contact, [a_fact(Verdict.DELIVERED, on_day(delivered))])
        assert left == counting_soft_bounce_days(known, LIMITS)


@pytest.mark.parametrize(
    ("verdict", "stays"), [(Verdict.COMPLAIN, Status.COMPLAINED), (Verdict.UNSUBSCRIBE, Status.UNSUBSCRIBED)]
)
def test_an_operators_reinstatement_leaves_complaints_and_opt_outs(verdict: Verdict, stays: Status) -> None:
    contact = a_contact(a_fact(verdict), a_fact(), *soft_bounce_days(0, 1, 2), opt_out("news"), cleared=on_day(9))
    assert (status(contact), opted_out_streams(contact)) == (stays, ("news",))


@pytest.mark.parametrize("facts", [[a_fact()], [an_echo()], soft_bounce_days(0, 1, 2), [nameless(0), nameless(1)]])
def test_an_operators_reinstatement_clears_bounces_of_every_kind(facts: list[Fact]) -> None:
    assert status(a_contact(*facts, cleared=on_day(9))) is Status.ACTIVE


def test_an_echo_of_a_complaint_survives_an_operators_reinstatement() -> None:
    assert status(a_contact(an_echo(ListReason.COMPLAINT), cleared=on_day(9))) is Status.COMPLAINED


# --- The suppression list -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.COMPLAINED, ListReason.COMPLAINT),
        (Status.BOUNCED, ListReason.BOUNCE),
        (Status.SUSPENDED, None),
        (Status.UNSUBSCRIBED, None),
        (Status.BOUNCING, None),
        (Status.ACTIVE, None),
    ],
)
def test_the_list_has_complained_and_bounced_contacts_only_by_default(
    status: Status, expected: ListReason | None
) -> None:
    """An entry would also stop transactional email to unsubscribed contacts."""
    assert expected is list_reason(status, LIMITS)


def test_with_list_unsubscribed_the_list_also_has_unsubscribed_contacts_as_complaints() -> None:
    limits = replace(LIMITS, list_unsubscribed=True)
    changed = {status for status in Status if list_reason(status, limits) is not list_reason(status, LIMITS)}
    assert ({Status.UNSUBSCRIBED}, ListReason.COMPLAINT) == (changed, list_reason(Status.UNSUBSCRIBED, limits))


def test_with_list_suspended_the_list_also_has_suspended_contacts_as_bounces() -> None:
    limits = replace(LIMITS, list_suspended=True)
    changed = {status for status in Status if list_reason(status, limits) is not list_reason(status, LIMITS)}
    assert ({Status.SUSPENDED}, ListReason.BOUNCE) == (changed, list_reason(Status.SUSPENDED, limits))


def test_an_echo_of_the_entry_of_a_suspension_changes_nothing() -> None:
    limits = replace(LIMITS, list_suspended=True)
    contact = a_contact(*soft_bounce_days(0, 1, 2), an_echo(at=on_day(5)))
    assert [status(contact, limits), status(contact)] == [Status.SUSPENDED, Status.BOUNCED]
    assert status(a_contact(*soft_bounce_days(0, 1, 2), an_echo(at=on_day(1))), limits) is Status.BOUNCED


def test_an_address_of_the_mailbox_simulator_needs_no_list_call() -> None:
    address = "bounce@simulator.amazonses.com"
    bounced = a_contact(a_fact(address=address), address=address)
    assert not needs_list_call(Contact(address), bounced, LIMITS, None)


def test_an_unknown_status_raises_instead_of_giving_no_list_reason() -> None:
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
def test_the_latest_echo_gives_the_reason_of_the_list_entry(facts: list[Fact], expected: ListReason | None) -> None:
    assert expected is latest_listed(a_contact(*facts))


BOUNCED = a_contact(a_fact())
LISTED = a_contact(an_echo())
SUSPENDED = a_contact(*soft_bounce_days(0, 2, 3))


@pytest.mark.parametrize(
    ("old", "facts", "synced", "needed"),
    [
        pytest.param(NOTHING, [a_fact()], None, True, id="a bounce"),
        pytest.param(NOTHING, [a_fact(Verdict.COMPLAIN)], None, True, id="a complaint"),
        pytest.param(NOTHING, soft_bounce_days(0, 1, 2), None, False, id="soft bounces that suspend"),
        pytest.param(NOTHING, soft_bounce_days(0, 1), None, False, id="soft bounces that do not suspend"),
        pytest.param(NOTHING, [a_fact(Verdict.DELIVERED)], None, False, id="a delivery"),
        pytest.param(NOTHING, [a_fact(Verdict.UNSUBSCRIBE)], None, False, id="an unsubscription"),
        pytest.param(NOTHING, [an_echo()], None, False, id="an echo: the list has the entry"),
        pytest.param(LISTED, [an_echo(at=on_day(2))], None, False, id="a second echo of the same entry"),
        pytest.param(LISTED, [an_echo(ListReason.COMPLAINT)], None, False, id="an echo with a stronger reason"),
        pytest.param(
            a_contact(an_echo(ListReason.COMPLAINT)),
            [an_echo(at=on_day(2))],
            None,
            True,
            id="an echo with a weaker reason",
        ),
        pytest.param(LISTED, [a_fact()], None, True, id="a bounce of a listed address: the entry is gone"),
        pytest.param(BOUNCED, [a_fact(at=on_day(2))], "BOUNCE", True, id="a second bounce: the entry is gone"),
        pytest.param(
            BOUNCED, soft_bounce_days(3), "BOUNCE", True, id="a soft bounce after a bounce: the entry is gone"
        ),
        pytest.param(SUSPENDED, soft_bounce_days(3.1), "BOUNCE", True, id="a soft bounce on the last soft-bounce day"),
        pytest.param(SUSPENDED, soft_bounce_days(1), "BOUNCE", True, id="a soft bounce of an earlier day"),
        pytest.param(
            a_contact(a_fact(Verdict.COMPLAIN)),
            [a_fact(Verdict.COMPLAIN, on_day(2))],
            "COMPLAINT",
            True,
            id="a second complaint: the entry is gone",
        ),
        pytest.param(BOUNCED, [a_fact(Verdict.DELIVERED)], "BOUNCE", False, id="a delivery may be older"),
        pytest.param(BOUNCED, [an_echo()], "BOUNCE", False, id="an echo of the entry that was written"),
        pytest.param(BOUNCED, [an_echo(ListReason.COMPLAINT)], "BOUNCE", True, id="an echo of a stronger entry"),
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
            id="a soft bounce that does not suspend",
        ),
        pytest.param(
            a_contact(a_fact(Verdict.UNSUBSCRIBE)),
            soft_bounce_days(1),
            UNLISTED,
            False,
            id="a soft bounce of an unsubscribed contact",
        ),
        pytest.param(
            LISTED,
            soft_bounce_days(1),
            "BOUNCE",
            False,
            id="a soft bounce of a contact listed by an echo of a bounce",
        ),
        pytest.param(
            a_contact(an_echo(ListReason.COMPLAINT)),
            soft_bounce_days(1),
            "COMPLAINT",
            False,
            id="a soft bounce of a contact listed by an echo of a complaint",
        ),
        pytest.param(
            BOUNCED, [a_fact(address="RECIPIENT@example.com", at=START)], "BOUNCE", True, id="another variant"
        ),
        pytest.param(
            BOUNCED,
            [a_fact(Verdict.NOTE, address="RECIPIENT@example.com")],
            None,
            True,
            id="another variant of a contact never written to the list",
        ),
        pytest.param(BOUNCED, [], "BOUNCE", False, id="nothing"),
    ],
)
def test_the_list_is_written_only_if_it_may_lack_the_required_entry(
    old: Contact,
    facts: list[Fact],
    synced: str | None,
    needed: bool,  # noqa: FBT001 (expected)
) -> None:
    """SES allows one call a second, so none is made for an entry that is known to be there."""
    assert needed is needs_list_call(old, learn_facts(old, facts), LIMITS, synced)


@pytest.mark.parametrize("synced", [None, UNLISTED, "BOUNCE"])
@pytest.mark.parametrize("old", [NOTHING, BOUNCED, LISTED])
def test_a_reinstatement_always_writes_the_list(old: Contact, synced: str | None) -> None:
    """The list may have an entry of which no echo was received."""
    new = merge(old, Contact(RECIPIENT, opted_in=Evidence(on_day(5))))
    assert needs_list_call(old, new, LIMITS, synced)


def test_facts_older_than_a_reinstatement_do_not_write_the_list() -> None:
    old = a_contact(opted_in=on_day(5))
    old = merge(old, Contact(RECIPIENT, variants=(RECIPIENT,)))
    assert not needs_list_call(old, learn_facts(old, [a_fact(), an_echo()]), LIMITS, UNLISTED)
