"""The effect of an entry on a contact: laws for all contacts, and each rule by itself."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedbackctl.contact_import.judgement import Outcome, Rules
from feedbackctl.suppression_files.model import Entry, Kind
from ses_feedback.address import parse_address
from ses_feedback.contacts.contact import ALL_EMAIL, KEPT_STREAMS, Contact, Evidence, merge
from ses_feedback.contacts.status import Limits, Status, list_reason, opted_out, standing
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Register, Verdict
from tests.support.builders import RECIPIENT, a_contact, a_fact, on_day
from tests.support.strategies import contacts, limits, moments

AT = on_day(100)
RULES = Rules("peer", AT, frozenset({"newsletter", "offers"}))
STATUSES = list(Status)


def an_entry(kind: Kind = Kind.BOUNCE, at: datetime | None = None, stream: str = "", address: str = RECIPIENT) -> Entry:
    return Entry(1, parse_address(address), kind, at, "original text", "5.1.1" if kind is Kind.BOUNCE else "", stream)


def apply(contact: Contact, entry: Entry, rules: Rules = RULES) -> Contact | Outcome:
    found = rules.judge(contact, entry)
    return merge(contact, found) if isinstance(found, Contact) else found


def entries() -> st.SearchStrategy[Entry]:
    streams = st.sampled_from(("", "newsletter", "newsletter,offers", "unknown", "newsletter,unknown"))
    addresses = st.sampled_from((RECIPIENT, "Recipient@example.com"))
    return st.builds(an_entry, st.sampled_from(Kind), st.none() | moments(), streams, addresses)


def rules() -> st.SearchStrategy[Rules]:
    return st.builds(
        Rules,
        st.just("peer"),
        moments(),
        st.just(frozenset({"newsletter", "offers"})),
        st.sampled_from(("", "newsletter")),
        include_soft=st.booleans(),
        force=st.booleans(),
    )


@given(contacts(), entries(), rules(), limits())
def test_import_never_weakens_a_contact(contact: Contact, entry: Entry, chosen: Rules, limit: Limits) -> None:
    after = apply(contact, entry, chosen)
    if isinstance(after, Contact):
        before_status, status = standing(contact, limit).status, standing(after, limit).status
        assert STATUSES.index(status) <= STATUSES.index(before_status)
        assert status.may_send <= before_status.may_send
        assert list_reason(before_status, limit) is None or list_reason(status, limit) is not None
        # A contact with too many streams counts as opted out of all email. Only then the merge drops names of streams.
        assert set(opted_out(contact)) <= set(opted_out(after)) or ALL_EMAIL in opted_out(after)


def test_import_into_a_contact_with_the_most_streams_opts_it_out_of_all_email() -> None:
    evidence = Evidence(AT, "Permanent/General")
    streams = tuple((f"stream-{number:02d}", evidence) for number in range(KEPT_STREAMS - 1))
    after = apply(Contact(RECIPIENT, unsubscribed_from=streams), an_entry(Kind.UNSUBSCRIBE, stream="newsletter,offers"))
    assert isinstance(after, Contact)
    assert (len(after.unsubscribed_from), ALL_EMAIL in opted_out(after)) == (KEPT_STREAMS, True)


@given(contacts(), st.lists(entries(), max_size=6), rules())
def test_second_import_changes_nothing(contact: Contact, some: list[Entry], chosen: Rules) -> None:
    for entry in some:
        after = apply(contact, entry, chosen)
        contact = after if isinstance(after, Contact) else contact
    assert not [entry for entry in some if isinstance(chosen.judge(contact, entry), Contact)]


@given(contacts(), st.lists(entries().filter(lambda entry: entry.at is not None), max_size=4), rules())
def test_order_of_entries_does_not_matter(contact: Contact, some: list[Entry], chosen: Rules) -> None:
    """Variants do not count: an entry that adds no evidence adds no variant."""
    results = []
    for order in (some, some[::-1]):
        result = contact
        for entry in order:
            after = apply(result, entry, chosen)
            result = after if isinstance(after, Contact) else result
        results.append(replace(result, variants=()))
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Kind.BOUNCE, Status.BOUNCED),
        (Kind.MANUAL, Status.BOUNCED),
        (Kind.COMPLAINT, Status.COMPLAINED),
        (Kind.UNSUBSCRIBE, Status.UNSUBSCRIBED),
    ],
)
def test_kind_gives_the_status_with_its_date_and_a_reason_without_foreign_text(kind: Kind, status: Status) -> None:
    after = apply(Contact(RECIPIENT), an_entry(kind, on_day(3)))
    assert isinstance(after, Contact)
    found = standing(after, Limits())
    code = "5.1.1" if kind is Kind.BOUNCE else ""
    assert (found.status, found.evidence) == (
        status,
        Evidence(on_day(3), f"Import/peer-{kind.value}", status_code=code),
    )
    assert after.variants == (RECIPIENT,)


@pytest.mark.parametrize("kind", [Kind.SOFT, Kind.NONE])
def test_soft_bounce_and_enabled_address_are_not_imported(kind: Kind) -> None:
    assert isinstance(apply(Contact(RECIPIENT), an_entry(kind, on_day(1))), Outcome)


def test_soft_bounce_is_imported_as_a_hard_one_if_asked() -> None:
    after = apply(Contact(RECIPIENT), an_entry(Kind.SOFT, on_day(1)), Rules("peer", AT, include_soft=True))
    assert isinstance(after, Contact)
    assert standing(after, Limits()).status is Status.BOUNCED


DELIVERED = a_contact(a_fact(Verdict.DELIVERED, on_day(10)))


@pytest.mark.parametrize(
    ("kind", "at", "outcome"),
    [
        (Kind.BOUNCE, on_day(10) - timedelta(seconds=1), Outcome.DELIVERED_SINCE),
        (Kind.BOUNCE, on_day(10) + timedelta(seconds=1), None),
        (Kind.BOUNCE, None, Outcome.DELIVERED_SINCE),
        (Kind.COMPLAINT, on_day(9), None),
        (Kind.UNSUBSCRIBE, on_day(9), None),
        (Kind.MANUAL, on_day(9), None),
    ],
)
def test_hard_bounce_from_before_a_clean_delivery_is_skipped(
    kind: Kind, at: datetime | None, outcome: Outcome | None
) -> None:
    found = apply(DELIVERED, an_entry(kind, at))
    assert (found if isinstance(found, Outcome) else None) is outcome


def test_delivery_of_an_email_that_bounced_proves_nothing() -> None:
    contact = a_contact(
        a_fact(Verdict.DELIVERED, on_day(10), message_id="one"),
        a_fact(Verdict.SOFT_BOUNCE, on_day(10), message_id="one"),
    )
    assert isinstance(apply(contact, an_entry(at=on_day(9))), Contact)


def test_force_imports_a_bounce_from_before_a_delivery() -> None:
    after = apply(DELIVERED, an_entry(at=on_day(9)), Rules("peer", AT, force=True))
    assert isinstance(after, Contact)
    assert standing(after, Limits()).status is Status.BOUNCED


CLEARED, OPTED_IN = a_contact(cleared=on_day(10)), a_contact(opted_in=on_day(10))
RESUBSCRIBED = merge(Contact(RECIPIENT), Contact(RECIPIENT, opted_into=((ALL_EMAIL, Evidence(on_day(10))),)))


@pytest.mark.parametrize(
    ("contact", "kind", "is_skipped"),
    [
        (CLEARED, Kind.BOUNCE, True),
        (CLEARED, Kind.MANUAL, True),
        (CLEARED, Kind.COMPLAINT, False),
        (CLEARED, Kind.UNSUBSCRIBE, False),
        (OPTED_IN, Kind.COMPLAINT, True),
        (OPTED_IN, Kind.UNSUBSCRIBE, True),
        (RESUBSCRIBED, Kind.UNSUBSCRIBE, True),
        (RESUBSCRIBED, Kind.BOUNCE, False),
    ],
)
@pytest.mark.parametrize("at", [on_day(9), on_day(10), None])
def test_reinstatement_and_opt_in_override_earlier_entries(
    contact: Contact, kind: Kind, at: datetime | None, *, is_skipped: bool
) -> None:
    assert (apply(contact, an_entry(kind, at)) is Outcome.REINSTATED_SINCE) is is_skipped
    assert isinstance(apply(contact, an_entry(kind, on_day(11))), Contact)


def test_entry_without_a_date_adds_nothing_to_what_is_known() -> None:
    contact = a_contact(a_fact(at=on_day(1), register=Register.BOUNCED))
    assert apply(contact, an_entry()) is Outcome.KNOWN
    assert isinstance(apply(contact, an_entry(Kind.COMPLAINT)), Contact)


@pytest.mark.parametrize(
    ("stream", "names"),
    [
        ("", ()),
        ("newsletter", ("newsletter",)),
        ("offers,newsletter", ("newsletter", "offers")),
        ("newsletter,unknown", ()),
    ],
)
def test_opt_out_of_an_undeclared_stream_means_all_email(stream: str, names: tuple[str, ...]) -> None:
    after = apply(Contact(RECIPIENT), an_entry(Kind.UNSUBSCRIBE, on_day(1), stream))
    assert isinstance(after, Contact)
    assert tuple(name for name, _ in after.unsubscribed_from) == names
    assert (after.unsubscribed is None) is bool(names)


def test_mailbox_simulator_is_not_imported() -> None:
    contact = Contact("bounce@simulator.amazonses.com")
    assert apply(contact, an_entry(address=contact.address)) is Outcome.SIMULATOR
