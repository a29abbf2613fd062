"""Laws of judging, merging, status and list sync: they hold for all feedback, in any order and with any duplicates.

Hypothesis searches for counterexamples. This command runs a longer search:
`pytest --hypothesis-profile=long tests/properties/test_contact_laws.py`.
"""

import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ses_feedback.address import AddressError, parse_address
from ses_feedback.contacts.contact import (
    EVIDENCE_REGISTERS,
    KEPT_DAYS,
    KEPT_STREAMS,
    KEPT_VARIANTS,
    Contact,
    contact_of,
    learn_facts,
    merge,
)
from ses_feedback.contacts.history import history_item
from ses_feedback.contacts.record import ContactRecord, become, decode, encode, learn
from ses_feedback.contacts.status import (
    UNLISTED,
    Limits,
    Status,
    latest_listed,
    list_reason,
    opted_out,
    opted_out_streams,
    released,
    standing,
)
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Fact, ListReason, Verdict
from ses_feedback.judging.judge import judge
from ses_feedback.judging.policy import POLICY
from ses_feedback.reading.envelope import Document, EnvelopeError, Notice, open_record, read_records
from ses_feedback.reading.ses_events import Feedback, FeedbackError, parse_feedback
from tests.support.builders import (
    AT,
    EVENT,
    NOTIFICATION,
    RECIPIENT,
    START,
    Json,
    a_bus_event,
    a_fact,
    an_sns_envelope,
    an_sns_event,
    an_sqs_event,
    an_sqs_record,
    on_day,
    reinstated,
)
from tests.support.strategies import (
    SOFT_BOUNCE_VERDICTS,
    contacts,
    documents,
    histories,
    json_objects,
    json_values,
    limits,
    moments,
    mutated_documents,
    orders,
    texts,
)

Event = Any
LIMITS = Limits()
END = on_day(5_000)
"""A time after every time that the strategies generate."""


# --- Opening and parsing --------------------------------------------------------------------------------------------

CARRIERS: dict[str, Callable[[Any], Event]] = {
    "bare": lambda content: content,
    "text": json.dumps,
    "SQS": an_sqs_event,
    "SNS": an_sns_event,
    "an SNS envelope": an_sns_envelope,
    "EventBridge": a_bus_event,
    "SNS in SQS": lambda content: an_sqs_event(an_sns_envelope(content)),
    "EventBridge in SNS": lambda content: an_sns_event(a_bus_event(content)),
    "EventBridge in SNS in SQS": lambda content: an_sqs_event(an_sns_envelope(a_bus_event(content))),
    "one record of two": lambda content: {"Records": [content, an_sqs_record("{}")]},
}
HOSTILE_TEXTS = {
    "deep lists": "[" * 200_000 + "]" * 200_000,
    "deep objects": '{"Message":' * 200_000 + "1" + "}" * 200_000,
    "an unclosed depth": '{"eventType":' * 200_000,
    "5,000 digits": '{"eventType":"Bounce","bounce":' + "9" * 5_000 + "}",
    "a megabyte of digits": "9" * 2**20,
    "a megabyte": '{"eventType":"' + "x" * 2**20 + '"}',
    "a megabyte of text": "x" * 2**20,
    "a megabyte of quotes": '"' * 2**20,
    "a megabyte of blanks": " " * 2**20,
    "NaN": '{"eventType":NaN,"bounce":NaN}',
    "Infinity": '{"eventType":"Bounce","bounce":{"bounceType":-Infinity,"timestamp":1e999}}',
    "duplicate names": '{"eventType":"Send","eventType":"Bounce","bounce":{},"bounce":{"bounceType":"Permanent"}}',
    "an escaped lone surrogate": '{"eventType":"\\ud800"}',
    "a lone surrogate": '{"eventType":"\ud800"}',
    "NUL": "\x00",
    "an escaped NUL": '{"eventType":"Bounce\\u0000"}',
    "controls": '{"eventType":"\x01"}',
    "nothing": "",
    "a byte order mark": "\ufeff" * 3,
}


def open_all_records(event: Event) -> list[Document | Notice | str]:
    """Return the content of each record of `event`, or the reason if the record cannot be opened."""
    found: list[Document | Notice | str] = []
    for record in read_records(event):
        try:
            found.append(open_record(record))
        except EnvelopeError as error:
            found.append(error.reason)
    return found


def parse_or_none(document: Any) -> Feedback | None:  # noqa: ANN401 (JSON)
    """Return the feedback in `document`, or None if it is malformed."""
    with contextlib.suppress(FeedbackError):
        return parse_feedback(document)
    return None


@st.composite
def damaged_texts(draw: st.DrawFn) -> str:
    """Return the JSON of a document in which up to 40 characters are replaced with other text."""
    text = json.dumps(draw(documents()), ensure_ascii=draw(st.booleans()))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 40)))
    return text[:start] + draw(texts() | st.sampled_from('{}[]",:\\!\n')) + text[end:]


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Return Lambda events: any JSON value, text or damaged document, in any carrier."""
    content = draw(st.one_of(json_values(), mutated_documents(), damaged_texts(), texts()))
    carrier = draw(st.sampled_from(tuple(CARRIERS.values())))
    try:
        return carrier(content)
    except RecursionError:  # the content is too deep for JSON, so no carrier can contain it as a text
        return content


@given(events())
def test_opening_an_event_raises_only_envelope_errors_with_a_known_reason(event: Event) -> None:
    reasons = {"no-content", "not-an-object", "not-json", "unknown-bus-event", "unknown-shape", "wrapped-too-often"}
    assert {found for found in open_all_records(event) if isinstance(found, str)} <= reasons


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS.keys())
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HOSTILE_TEXTS.items()])
def test_a_hostile_text_in_any_carrier_is_opened_and_parsed_without_an_exception(
    text: str, carrier: Callable[[Any], Event]
) -> None:
    event = carrier(text)
    found = open_all_records(event)
    assert len(read_records(event)) == len(found)
    feedback = [parse_or_none(document.fields) for document in found if isinstance(document, Document)]
    assert all(one is None or judge(one).counts for one in feedback)


@given(json_values())
def test_the_original_of_every_record_that_can_be_encoded_is_a_text(event: Event) -> None:
    """If the content of a record cannot be encoded as JSON, `original` raises RecursionError or ValueError."""
    for record in read_records(event):
        with contextlib.suppress(RecursionError, ValueError):
            assert isinstance(record.original(), str)


@given(mutated_documents() | json_objects(json_values()))
def test_parsing_raises_only_feedback_errors_that_can_be_logged(document: Json) -> None:
    errors: list[FeedbackError] = []
    try:
        parse_feedback(document)
    except FeedbackError as error:
        errors.append(error)
    assert all(error.reason in {"two-kinds", "unknown-kind", "malformed"} and str(error).isascii() for error in errors)


@given(documents())
def test_every_kind_of_event_in_both_vocabularies_is_parsed(document: Json) -> None:
    assert parse_feedback(document).kind


# --- Judging --------------------------------------------------------------------------------------------------------

RULES = {rule.name: rule for rule in POLICY}


def key_of(raw: Any) -> str | None:  # noqa: ANN401 (JSON)
    """Return the key of the recipient `raw`, or None if the address is invalid."""
    try:
        return parse_address(raw).key
    except (AddressError, TypeError):
        return None


def keys_of(recipients: Iterable[Any]) -> set[str]:
    """Return the keys of the valid addresses among `recipients`."""
    return {key for raw in recipients if (key := key_of(raw))}


@given(mutated_documents(), st.none() | moments())
def test_judging_any_document_gives_facts_that_can_be_stored_counted_and_logged(
    document: Json, sent_at: datetime | None
) -> None:
    feedback = parse_or_none(document)
    if feedback is None:
        return
    judgement = judge(feedback, sent_at)
    assert judgement.rule in RULES
    assert judgement.problem in {"", "unusable-recipient", "no-timestamp"}
    assert all(name.isalpha() and number > 0 for name, number in judgement.counts)
    assert judgement.at is None or sent_at is None or judgement.at <= sent_at
    for fact in judgement.facts:
        assert judgement.at == fact.at
        assert fact.reason.isascii()
        assert len(json.dumps(history_item(fact, 365, fact.at), ensure_ascii=False).encode()) < 20_000


@given(mutated_documents(), moments())
def test_time_of_feedback_is_between_the_times_of_its_email_and_of_its_carrier(
    document: Json, sent_at: datetime
) -> None:
    feedback = parse_or_none(document)
    judgement = judge(feedback, sent_at) if feedback else None
    if feedback is None or judgement is None or judgement.at is None:
        return
    mailed_at = feedback.mail.timestamp if feedback.mail else None
    assert judgement.at <= sent_at
    assert mailed_at is None or mailed_at > sent_at or mailed_at <= judgement.at


@given(mutated_documents(), moments(), st.integers(0, 28))
def test_a_redrive_keeps_the_judgement_of_feedback_that_is_not_later_than_its_carrier(
    document: Json, sent_at: datetime, days: int
) -> None:
    feedback = parse_or_none(document)
    mailed_at = feedback.mail.timestamp if feedback and feedback.mail else None
    if feedback is None or any(time and time > sent_at for time in (feedback.event_time, mailed_at)):
        return
    redriven = judge(feedback, sent_at + timedelta(days=days))
    if feedback.event_time or mailed_at:
        assert judge(feedback, sent_at) == redriven


@given(mutated_documents())
def test_facts_are_about_recipients_of_the_email_unless_ses_wrote_the_address(document: Json) -> None:
    feedback = parse_or_none(document)
    if feedback is None or feedback.kind != "Bounce" or not feedback.mail or not feedback.mail.destination:
        return
    judgement = judge(feedback, AT)
    if not RULES[judgement.rule].ses_text:
        assert {fact.address.key for fact in judgement.facts} <= keys_of(feedback.mail.destination)


@given(mutated_documents())
def test_address_variant_of_a_fact_is_that_of_a_recipient_of_the_email_or_empty(document: Json) -> None:
    feedback = parse_or_none(document)
    if feedback is None:
        return
    destination = (feedback.mail.destination if feedback.mail else None) or ()
    variants = {variant_of(raw) for raw in destination}
    assert {fact.address.variant for fact in judge(feedback, AT).facts} <= {*variants, ""}


def variant_of(raw: str) -> str:
    """Return the address variant of `raw`, or an empty string if the address is invalid."""
    try:
        return parse_address(raw).variant
    except AddressError:
        return ""


@given(documents())
def test_an_event_and_a_notification_with_equal_content_give_the_same_judgement(document: Json) -> None:
    kind = document.get(EVENT) or document.get(NOTIFICATION)
    rest = {name: value for name, value in document.items() if name not in {EVENT, NOTIFICATION}}
    assert judge(parse_feedback({EVENT: kind, **rest})) == judge(parse_feedback({NOTIFICATION: kind, **rest}))


@given(documents())
def test_judging_equal_documents_gives_equal_judgements(document: Json) -> None:
    assert judge(parse_feedback(document)) == judge(parse_feedback(json.loads(json.dumps(document))))


# --- Merging --------------------------------------------------------------------------------------------------------


@given(contacts(), contacts())
def test_merging_is_commutative(one: Contact, other: Contact) -> None:
    assert merge(one, other) == merge(other, one)


@given(contacts(), contacts(), contacts())
def test_merging_is_associative(one: Contact, two: Contact, three: Contact) -> None:
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@given(contacts(), contacts())
def test_merging_is_idempotent(one: Contact, other: Contact) -> None:
    merged = merge(one, other)
    assert [one, merged, merged] == [merge(one, one), merge(merged, one), merge(other, merged)]


@given(contacts())
def test_the_empty_contact_is_the_identity_of_merge(contact: Contact) -> None:
    assert [contact] * 2 == [merge(contact, Contact(RECIPIENT)), merge(Contact(RECIPIENT), contact)]


@given(histories(), st.data())
def test_facts_in_any_order_with_any_duplicates_give_the_same_contact(history: list[Fact], data: st.DataObject) -> None:
    """Two contacts that learnt parts of the facts also merge to the same contact."""
    twice = data.draw(st.lists(st.sampled_from(history))) if history else []
    again = data.draw(orders(history + twice))
    expected = learn_facts(Contact(RECIPIENT), history)
    assert expected == learn_facts(Contact(RECIPIENT), again)
    cut = data.draw(st.integers(0, len(again)))
    halves = [learn_facts(Contact(RECIPIENT), half) for half in (again[:cut], again[cut:])]
    assert expected == merge(*halves)


@given(histories())
def test_the_registers_and_the_item_of_a_contact_are_bounded(history: list[Fact]) -> None:
    contact = learn_facts(Contact(RECIPIENT), history * 2)
    assert len(contact.delivered) <= KEPT_DAYS
    assert len(contact.soft_bounces) <= KEPT_DAYS * 2
    assert len(contact.unsubscribed_from) <= KEPT_STREAMS
    assert len(contact.variants) <= KEPT_VARIANTS
    assert len(json.dumps(encode(ContactRecord(contact), Limits()))) < 24_000


# --- Status ---------------------------------------------------------------------------------------------------------

STRENGTH = list(reversed(Status))
"""All statuses, the weakest first."""


@given(histories() | histories(verdicts=SOFT_BOUNCE_VERDICTS), limits(), st.none() | moments())
def test_a_status_weakens_only_by_a_delivery_or_by_the_persons_own_opt_in(
    history: list[Fact], limits: Limits, opted_in: datetime | None
) -> None:
    contact = reinstated(Contact(RECIPIENT), opted_in)
    for fact in history:
        learnt = merge(contact, contact_of(fact))
        before, after = standing(contact, limits).status, standing(learnt, limits).status
        if STRENGTH.index(after) < STRENGTH.index(before):
            # With `list_suspended`, a soft bounce can show that an earlier echo reported the stack's own entry.
            own_entry = limits.list_suspended and before is Status.BOUNCED
            assert (fact.verdict, before) in WEAKENING or own_entry
        contact = learnt


WEAKENING = {
    (Verdict.DELIVERED, Status.SUSPENDED),
    (Verdict.DELIVERED, Status.BOUNCING),
    (Verdict.SUBSCRIBE, Status.UNSUBSCRIBED),
}
"""Pairs of a verdict and a status that it may weaken."""


@given(contacts(), limits())
def test_a_release_weakens_only_the_status_suspended(contact: Contact, limits: Limits) -> None:
    before = standing(contact, limits).status
    after = standing(merge(contact, released(contact, limits)), limits).status
    if before is Status.SUSPENDED:
        assert after in ({Status.BOUNCING} if limits.deliveries_published else {Status.ACTIVE})
    elif limits.deliveries_published:
        assert before is after


@given(contacts(), limits())
def test_a_reinstatement_by_an_operator_removes_no_complaint_and_no_opt_out(contact: Contact, limits: Limits) -> None:
    before = standing(contact, limits).status
    cleared = reinstated(contact, END, "cleared")
    assert opted_out_streams(cleared) == opted_out_streams(contact)
    if before in {Status.COMPLAINED, Status.UNSUBSCRIBED}:
        assert standing(cleared, limits).status is before
    else:
        assert standing(cleared, limits).status in {Status.UNSUBSCRIBED, Status.ACTIVE}


@given(contacts(), limits())
def test_the_evidence_of_a_status_is_the_content_of_a_register(contact: Contact, limits: Limits) -> None:
    found = standing(contact, limits)
    assert (found.status is Status.ACTIVE) == (found.evidence is None)
    if found.evidence:
        registers = {getattr(contact, name) for name in EVIDENCE_REGISTERS if name not in {"opted_in", "cleared"}}
        assert found.evidence in registers | {evidence for _, evidence in contact.unsubscribed_from}
        counted = found.status in {Status.SUSPENDED, Status.BOUNCING} or (
            found.status is Status.BOUNCED and found.evidence == contact.nameless
        )
        assert counted or contact.opted_in is None or found.evidence.at > contact.opted_in.at


@given(contacts(), limits())
def test_item_attributes_for_applications_agree_with_the_status(contact: Contact, limits: Limits) -> None:
    found = standing(contact, limits)
    item = encode(ContactRecord(contact, status=found.status), limits)
    may_send = found.status in {Status.ACTIVE, Status.BOUNCING}
    assert [may_send] * 4 == [found.may_send, found.status.may_send, item["may_send"]["BOOL"], "unsendable" not in item]
    assert may_send <= item["may_send_transactional"]["BOOL"]
    assert item["may_send_transactional"]["BOOL"] == (list_reason(found.status, limits) is None)


@given(contacts(), limits())
def test_the_persons_own_reinstatement_makes_a_contact_active(contact: Contact, limits: Limits) -> None:
    again = reinstated(contact, END)
    assert (standing(again, limits).status, opted_out_streams(again)) == (Status.ACTIVE, ())


# --- Soft bounces: an unbounded model -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Email:
    """An email: the day of sending, True if it was delivered, and the day of its soft bounce or None."""

    day: int
    delivered: bool
    bounced_on: int | None


@st.composite
def mailings(draw: st.DrawFn) -> list[Email]:
    """Return emails of consecutive phases of one mailbox.

    A mailbox that `works` accepts emails. A mailbox that `fails` accepts emails and bounces them later. A mailbox that
    `refuses` bounces them immediately.
    """
    behaviours = st.sampled_from(("works", "fails", "refuses"))
    phases = draw(st.lists(st.tuples(behaviours, st.integers(1, 12)), min_size=1, max_size=12))
    late, each_day = draw(st.integers(0, 6)), draw(st.integers(1, 3))
    emails, day = [], 0
    for phase, days in phases:
        for _ in range(days):
            bounced_on = None if phase == "works" else day + (late if phase == "fails" else 0)
            emails += [Email(day, phase != "refuses", bounced_on)] * each_day
            day += draw(st.sampled_from((1, 1, 1, 7)))
    return emails[:240]


def unbounded_status(emails: list[Email], limits: Limits) -> Status:
    """Return the status by the rules in docs/explain/contact.md, computed from all emails and without registers."""
    late = max((email.bounced_on - email.day for email in emails if email.bounced_on is not None), default=0)
    last_delivery = max((email.day for email in emails if email.delivered), default=-1)
    clean = [
        email.day
        for email in emails
        if email.delivered and email.bounced_on is None and email.day + min(late, 7) <= last_delivery
    ]
    days = sorted(
        {email.day for email in emails if email.bounced_on is not None and email.day > max(clean, default=-1)}
    )
    if not days:
        return Status.ACTIVE
    pairs = zip(days, days[limits.soft_bounces - 1 :], strict=False)
    run = len(days) >= 30 or any(last - first <= limits.window_days for first, last in pairs)
    return Status.SUSPENDED if run else Status.BOUNCING


@given(mailings(), limits(), st.data())
def test_bounded_registers_give_the_status_of_the_unbounded_model(
    emails: list[Email], limits: Limits, data: st.DataObject
) -> None:
    limits = replace(limits, deliveries_published=True)
    history = []
    for number, email in enumerate(emails):
        about: dict[str, Any] = {"mailed_at": on_day(email.day), "message_id": f"email-{number}"}
        if email.delivered:
            history.append(a_fact(Verdict.DELIVERED, on_day(email.day), **about))
        if email.bounced_on is not None:
            history.append(a_fact(Verdict.SOFT_BOUNCE, on_day(email.bounced_on), **about))
    contact = learn_facts(Contact(RECIPIENT), data.draw(orders(history)))
    assert standing(contact, limits).status is unbounded_status(emails, limits)


# --- Storing --------------------------------------------------------------------------------------------------------


@st.composite
def stored_contacts(draw: st.DrawFn) -> ContactRecord:
    """Return contacts with any pending work, lease and published status."""
    contact = draw(contacts())
    status = st.sampled_from(Status)
    synced = draw(st.sampled_from((None, UNLISTED, "BOUNCE", "COMPLAINT")))
    others = draw(st.dictionaries(st.sampled_from(("note", "seen_by")), st.fixed_dictionaries({"S": texts()})))
    return ContactRecord(
        contact,
        rev=draw(st.integers(0, 10**12)),
        status=standing(contact, LIMITS).status,
        published=draw(status),
        synced=synced,
        list_pending=draw(st.booleans()),
        publish_pending=draw(st.booleans()),
        published_opted_out=draw(st.sampled_from(((), ("news",), ("*", "news", "offers")))),
        preferences_pending=draw(st.booleans()),
        pending_since=draw(st.none() | moments()),
        retry_at=draw(st.none() | moments()),
        lease=draw(st.sampled_from(("", "a-worker"))),
        leased_until=draw(st.none() | moments()),
        item=others,
    )


@given(stored_contacts())
def test_decoding_an_encoded_contact_gives_the_same_contact(stored: ContactRecord) -> None:
    read = decode(encode(stored, LIMITS))
    assert (stored, stored.others) == (read, read.others)


@given(histories(), limits())
def test_learning_known_facts_in_another_order_changes_nothing(history: list[Fact], limits: Limits) -> None:
    stored = learn(ContactRecord(Contact(RECIPIENT)), history, limits, START)
    assert stored
    assert (1, standing(stored.contact, limits).status) == (stored.rev, stored.status)
    assert learn(decode(encode(stored, limits)), history[::-1], limits, AT) is None


# --- List sync ------------------------------------------------------------------------------------------------------


@dataclass
class SyncedContact:
    """A contact, its entry on the suppression list, and its last published status and opt-outs."""

    stored: ContactRecord
    listed: str
    published: Status
    limits: Limits
    opted_out: tuple[str, ...] = ()

    def learn(self, facts: list[Fact], opted_in: datetime | None) -> None:
        """Add `facts` to the contact, and a reinstatement if `opted_in` is a time."""
        contact = reinstated(learn_facts(self.stored.contact, facts), opted_in)
        self.stored = become(self.stored, contact, self.limits, START) or self.stored

    def sync(self) -> None:
        """Publish the status and the opt-outs, and write the list entry as the list sync does."""
        required = list_reason(self.stored.status, self.limits)
        if self.stored.publish_pending:
            self.published = self.stored.status
            self.stored = replace(self.stored, published=self.published, publish_pending=False)
        if self.stored.preferences_pending:
            self.opted_out = opted_out(self.stored.contact)
            self.stored = replace(self.stored, published_opted_out=self.opted_out, preferences_pending=False)
        if self.stored.list_pending:
            self.listed = required or UNLISTED
            self.stored = replace(self.stored, synced=self.listed, list_pending=False)
        self.stored = replace(self.stored, pending_since=None)


@given(histories() | histories(verdicts=SOFT_BOUNCE_VERDICTS), limits(), st.none() | moments(), st.data())
def test_after_events_in_any_order_the_list_and_the_published_status_agree_with_the_contact(
    history: list[Fact], limits: Limits, opted_in: datetime | None, data: st.DataObject
) -> None:
    """The list sync runs after some of the events, and after the last one.

    At the start, the list has the entry that the latest echo reports. If there is a reinstatement, it has any entry.
    """
    contact = learn_facts(Contact(RECIPIENT), history)
    expected = reinstated(contact, opted_in)
    final = standing(expected, limits)
    echoed = latest_listed(contact) or UNLISTED
    listed = data.draw(st.sampled_from((UNLISTED, *ListReason))) if opted_in else echoed
    ends = set()
    for order in (history, data.draw(orders(history * 2))):
        synced = SyncedContact(ContactRecord(Contact(RECIPIENT)), listed, Status.ACTIVE, limits)
        always = data.draw(st.booleans())
        synced_after = range(len(order)) if always else data.draw(st.sets(st.integers(0, len(order))))
        reinstatement = data.draw(st.integers(0, len(order)))
        for number, fact in enumerate(order):
            synced.learn([fact], opted_in if number == reinstatement else None)
            assert (synced.stored.pending_since is not None) == (
                synced.stored.list_pending or synced.stored.event_pending
            )
            if number in synced_after:
                synced.sync()
        synced.learn([], opted_in)
        synced.sync()
        assert expected == synced.stored.contact
        ends.add((synced.listed, synced.published, synced.opted_out))
    assert {(list_reason(final.status, limits) or UNLISTED, final.status, opted_out(expected))} == ends
