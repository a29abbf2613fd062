"""`Contacts` answers for each contact that the repository writes as the status functions do."""

from collections.abc import Iterable, Sequence
from itertools import product

import pytest
from hypothesis import given

from ses_feedback.client import Contacts
from ses_feedback.contacts.contact import ALL_EMAIL, KEPT_STREAMS, Contact
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits, Status, list_reason, opted_out_streams, standing
from ses_feedback.judging.facts import Fact, Verdict
from tests.support.builders import RECIPIENT, a_contact, a_fact, an_opt_in, an_opt_out, on_day, soft_bounce_days
from tests.support.dynamodb_table import Operations, Table
from tests.support.fakes import InlineExecutor, ManualClock
from tests.support.strategies import histories, limits

TABLE = "Contacts"
STREAMS = ("newsletter", "receipts", "offers")
ASKED_AS = ("recipient@example.com", "A recipient <RECIPIENT@Example.com.>")

CASES: dict[Status, list[Fact]] = {
    Status.COMPLAINED: [a_fact(Verdict.COMPLAIN)],
    Status.BOUNCED: [a_fact(Verdict.SUPPRESS)],
    Status.UNSUBSCRIBED: [a_fact(Verdict.UNSUBSCRIBE)],
    Status.SUSPENDED: soft_bounce_days(1, 2, 3, 4, 5),
    Status.BOUNCING: soft_bounce_days(1),
    Status.ACTIVE: [],
}


def written(facts: Iterable[Fact], limits_: Limits) -> tuple[Operations, Contact]:
    """Write facts as the stack does. Return a client of the table, and the stored contact."""
    client, clock = Operations(Table()), ManualClock()
    repository = ContactRepository(
        client, TABLE, limits_, history_days=365, now=clock.now, sleep=clock.sleep, executor=InlineExecutor()
    )
    assert repository.learn(facts) == {}
    return client, repository.read([RECIPIENT], {}, consistent=True)[RECIPIENT].contact


def assert_answers_agree(facts: Sequence[Fact], limits_: Limits) -> None:
    """Compare the answers to every question with the status functions."""
    client, contact = written(facts, limits_)
    status, out = standing(contact, limits_).status, opted_out_streams(contact)
    asked: list[str | None] = [None, *STREAMS, *out]
    expected = [status.may_send and stream not in out for stream in asked]
    for cache_seconds, address in product((0, 60), ASKED_AS):
        contacts = Contacts(TABLE, client=client, cache_seconds=cache_seconds)
        assert [contacts.may_send(address, stream) for stream in asked] == expected
        assert [dict(contacts.may_send_many([address], stream))[address] for stream in asked] == expected
        assert contacts.may_send_transactional(address) is (list_reason(status, limits_) is None)


@pytest.mark.parametrize(
    "listed", [Limits(), Limits(list_unsubscribed=True, list_suspended=True)], ids=["default", "listed"]
)
@pytest.mark.parametrize("status", Status)
def test_contacts_agrees_for_each_status_and_each_set_of_streams(status: Status, listed: Limits) -> None:
    for chosen in product((False, True), repeat=len(STREAMS)):
        facts = [
            *CASES[status],
            *(an_opt_out(name, on_day(2)) for name, out in zip(STREAMS, chosen, strict=True) if out),
        ]
        assert standing(a_contact(*facts), listed).status is status
        assert_answers_agree(facts, listed)


def test_contacts_agrees_about_opt_ins_and_about_too_many_streams() -> None:
    everything = [a_fact(Verdict.UNSUBSCRIBE, on_day(1)), an_opt_in(ALL_EMAIL, on_day(3))]
    for facts in (
        [an_opt_out("newsletter", on_day(2)), an_opt_in("newsletter", on_day(3))],
        [an_opt_in("newsletter", on_day(2)), an_opt_out("newsletter", on_day(3))],
        [*everything, an_opt_out("newsletter", on_day(2))],
        [an_opt_out(f"stream-{number:02d}", on_day(2)) for number in range(KEPT_STREAMS)],
    ):
        assert_answers_agree(facts, Limits())


@given(histories(), limits())
def test_contacts_agrees_for_every_history(facts: list[Fact], limits_: Limits) -> None:
    assert_answers_agree(facts, limits_)
