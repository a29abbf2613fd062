"""Consent, exhaustively: every set of four requests and events about three streams, in every order and with duplicates.

The expected answers are computed from the definition in docs/explain/contact.md. They share no code with `status`.
"""

from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import combinations
from typing import NamedTuple

import pytest

from ses_feedback.contacts.contact import Contact, Evidence, contact_of, merge
from ses_feedback.contacts.record import ContactRecord, become, decode, encode
from ses_feedback.contacts.status import Limits, opted_out, opted_out_streams, standing
from ses_feedback.judging.facts import Verdict
from tests.support.builders import RECIPIENT, a_fact, an_opt_in, an_opt_out, on_day

STREAMS = ("a", "b", "c")
TIMES = (1, 2, 3)
FACTS = 4
LIMITS = Limits()
_BY_THE_PERSON = frozenset({"in", "opted_in"})
"""Kinds of the person's own requests for email."""


class Step(NamedTuple):
    """One fact or reinstatement: its kind, its day, and a stream (empty for all email, or if it concerns none)."""

    kind: str
    day: int
    stream: str = ""


def steps() -> tuple[Step, ...]:
    """Return every fact and reinstatement: opt-outs and opt-ins per stream and of all email, and what outranks them."""
    kinds = [(kind, stream) for kind in ("out", "in") for stream in ("", *STREAMS)]
    kinds += [(kind, "") for kind in ("complaint", "bounce", "cleared", "opted_in")]
    return tuple(Step(kind, day, stream) for kind, stream in kinds for day in TIMES)


def contact_after(step: Step) -> Contact:
    """Return a contact with one step."""
    at = on_day(step.day)
    match step.kind:
        case "out" if step.stream:
            return contact_of(an_opt_out(step.stream, at))
        case "out":
            return contact_of(a_fact(Verdict.UNSUBSCRIBE, at))
        case "in":
            return contact_of(an_opt_in(step.stream, at))
        case "complaint":
            return contact_of(a_fact(Verdict.COMPLAIN, at))
        case "bounce":
            return contact_of(a_fact(Verdict.SUPPRESS, at))
        case "cleared":
            return Contact(RECIPIENT, cleared=Evidence(at, "operator"))
        case _:
            return Contact(RECIPIENT, opted_in=Evidence(at, "operator"))


class Answer(NamedTuple):
    """What the contact's item tells an application, and what is published."""

    status: str
    may_send: bool
    may_send_transactional: bool
    no_streams: tuple[str, ...]
    opted_out: tuple[str, ...]


def latest(done: Iterable[Step], kind: str, stream: str = "") -> int:
    """Return the last day of a kind of step, or 0."""
    return max((step.day for step in done if (step.kind, step.stream) == (kind, stream)), default=0)


def expected_answer(done: frozenset[Step]) -> Answer:
    """Return the answer: the latest request counts, an opt-out wins a tie, and a reinstatement wins a tie."""
    opted_in, cleared = latest(done, "opted_in"), latest(done, "cleared")

    def is_out(stream: str) -> bool:
        out = latest(done, "out", stream)
        return out > opted_in and out >= latest(done, "in", stream)

    status = "active"
    if is_out(""):
        status = "unsubscribed"
    if latest(done, "bounce") > max(opted_in, cleared):
        status = "bounced"
    if latest(done, "complaint") > opted_in:
        status = "complained"
    no_streams = tuple(stream for stream in STREAMS if is_out(stream))
    everything = ("*",) if is_out("") else ()
    return Answer(
        status, status == "active", status in {"active", "unsubscribed"}, no_streams, (*everything, *no_streams)
    )


def answer_of(contact: Contact) -> Answer:
    """Return the answer of a contact, as `status` computes it."""
    status = standing(contact, LIMITS).status
    transactional = status.value in {"active", "bouncing", "suspended", "unsubscribed"}
    return Answer(status.value, status.may_send, transactional, opted_out_streams(contact), opted_out(contact))


def sets_of_steps() -> Iterator[frozenset[Step]]:
    """Yield every set of at most `FACTS` steps, smaller ones first."""
    for size in range(FACTS + 1):
        yield from map(frozenset, combinations(steps(), size))


@pytest.fixture(scope="module")
def contacts() -> dict[frozenset[Step], Contact]:
    """The contact after each set of steps, in one order."""
    single = {step: contact_after(step) for step in steps()}
    return {
        done: reduce(merge, (single[step] for step in sorted(done)), Contact(RECIPIENT)) for done in sets_of_steps()
    }


def test_every_order_of_the_steps_with_duplicates_gives_the_same_contact(
    contacts: dict[frozenset[Step], Contact],
) -> None:
    """By induction: the last step of any order is one of the set, and it is new or a duplicate."""
    single = {step: contact_after(step) for step in steps()}
    assert len(contacts) > 60_000
    for done, contact in contacts.items():
        for step in done:
            assert merge(contacts[done - {step}], single[step]) == contact
            assert merge(contact, single[step]) == contact


def test_each_contact_has_the_answer_of_the_definition(contacts: dict[frozenset[Step], Contact]) -> None:
    wrong = [done for done, contact in contacts.items() if answer_of(contact) != expected_answer(done)]
    assert wrong == []


def test_no_step_but_the_persons_own_request_removes_a_complaint_or_an_opt_out(
    contacts: dict[frozenset[Step], Contact],
) -> None:
    for done, contact in contacts.items():
        after = answer_of(contact)
        for step in done:
            before = answer_of(contacts[done - {step}])
            if step.kind in _BY_THE_PERSON:
                continue
            assert set(before.opted_out) <= set(after.opted_out)
            assert before.status != "complained" or after.status == "complained"


def test_an_opt_in_removes_no_bounce_and_no_complaint(contacts: dict[frozenset[Step], Contact]) -> None:
    for done, contact in contacts.items():
        status = answer_of(contact).status
        for step in done:
            before = answer_of(contacts[done - {step}]).status
            if step.kind == "in" and before in {"bounced", "complained"}:
                assert status == before


def test_the_item_of_each_contact_has_the_same_answer(contacts: dict[frozenset[Step], Contact]) -> None:
    """Of sets of at most three steps: to encode all of them takes too long."""
    for done, contact in contacts.items():
        if not done or len(done) == FACTS:
            continue
        stored = become(ContactRecord(Contact(RECIPIENT)), contact, LIMITS, on_day(9))
        assert stored
        item = encode(stored, LIMITS)
        expected = expected_answer(done)
        assert tuple(name["S"] for name in item.get("no_streams", {"L": []})["L"]) == expected.no_streams
        assert (item["may_send"]["BOOL"], item["may_send_transactional"]["BOOL"]) == expected[1:3]
        assert stored.preferences_pending is bool(expected.opted_out)
        assert decode(item).contact == contact
