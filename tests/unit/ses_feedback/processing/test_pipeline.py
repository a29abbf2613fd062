"""Pipeline brings every record to exactly one end, and none to another's."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from ses_feedback.contacts.record import decode
from ses_feedback.contacts.status import Status
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Fact
from ses_feedback.judging.policy import AmbiguousComplaint, PolicyOptions
from ses_feedback.processing.pipeline import Pipeline
from ses_feedback.processing.results import BatchReport, Disposition, RecordResult, contact_hash, safe_id
from ses_feedback.reading.envelope import Carrier
from ses_feedback.timestamps import format_timestamp
from tests.support.builders import (
    AT,
    CONFIGURATION_SET,
    MESSAGE_ID,
    RECIPIENT,
    START,
    a_bounce,
    a_bounced_recipient,
    a_bus_event,
    a_click,
    a_complaint,
    a_delivery,
    a_mail,
    a_send,
    a_subscription,
    an_open,
    an_sns_envelope,
    an_sns_event,
    an_sqs_event,
    an_sqs_record,
)
from tests.support.fakes import FakeContacts, FakeQuarantine, ManualClock, QuarantinedMessage

OTHER = "other@example.com"
POISON = '{"eventType": "Bounce"}'


class Entrance:
    """A pipeline between fakes."""

    def __init__(self, *, lane: str = "", options: PolicyOptions = PolicyOptions()) -> None:  # noqa: B008 (immutable)
        """Put it together."""
        self.clock = ManualClock()
        self.contacts = FakeContacts(now=self.clock.now)
        self.quarantine = FakeQuarantine()
        self.pipeline = Pipeline(self.contacts, self.quarantine, now=self.clock.now, options=options, lane=lane)

    def __call__(self, *bodies: object, until: datetime | None = None) -> BatchReport:
        """Process an SQS event with these bodies."""
        return self.pipeline.process(an_sqs_event(*bodies), until)

    def statuses(self) -> dict[str, Status]:
        """Return every contact's status."""
        return {address: decode(item).status for address, item in self.contacts.items.items()}


def ends(report: BatchReport) -> list[tuple[str, str]]:
    """Return what became of each record, and why."""
    return [(outcome.disposition.value, outcome.reason) for outcome in report.results]


def counts(report: BatchReport) -> dict[str, int]:
    """Return what was counted, over all configuration sets."""
    return {name: report.metric_counts.total(name) for _, name in report.metric_counts.counts}


# --- Every record has one end ---------------------------------------------------------------------------------------


def test_the_four_ends() -> None:
    """Feedback is applied, a notice ignored, poison quarantined, and what can't be stored comes again."""
    entrance = Entrance()
    entrance.contacts.write_errors[OTHER] = "InternalServerError"
    notice = "Successfully validated SNS topic for Amazon SES event publishing."
    report = entrance(a_bounce(), notice, POISON, a_complaint(recipients=[OTHER]))
    assert ends(report) == [
        ("applied", ""),
        ("ignored", ""),
        ("quarantined", "malformed: bounce: missing"),
        ("retry", "InternalServerError"),
    ]
    assert report.dispositions == {"applied": 1, "ignored": 1, "quarantined": 1, "retry": 1}
    assert entrance.statuses() == {RECIPIENT: Status.BOUNCED}


def test_a_batch_is_learnt_at_once() -> None:
    """What several records say of one contact is one write."""
    entrance = Entrance()
    entrance(a_bounce(), a_complaint(), a_delivery(), a_bounce("Transient", at=AT + timedelta(days=1)))
    assert (entrance.statuses(), len(entrance.contacts.written)) == ({RECIPIENT: Status.COMPLAINED}, 1)


@pytest.mark.parametrize("event", [None, 7, "text", [], {}, {"Records": "no"}, {"Records": [None, 7, {}]}])
def test_any_event_at_all(event: object) -> None:
    """Whatever Lambda hands over is kept, record by record; an event with none is one itself."""
    entrance = Entrance()
    report = entrance.pipeline.process(event)
    assert {outcome.disposition for outcome in report.results} == {Disposition.QUARANTINED}
    assert len(entrance.quarantine.messages) == len(report.results) > 0


def test_no_records() -> None:
    """An event of no records came to nothing."""
    assert Entrance().pipeline.process({"Records": []}).results == ()


# --- None changes another's -----------------------------------------------------------------------------------------


def test_what_one_contact_meets_is_no_others() -> None:
    """Only the records that name the contact that can't be stored come again."""
    entrance = Entrance()
    entrance.contacts.write_errors[OTHER] = "ReadTimeoutError"
    bodies = a_bounce(recipients=[RECIPIENT]), a_bounce(recipients=[RECIPIENT, OTHER]), a_delivery(recipients=[OTHER])
    assert [end for end, _ in ends(entrance(*bodies))] == ["applied", "retry", "retry"]


def test_reasons_are_said_once() -> None:
    """A record whose contacts fail for several reasons says each, in order."""
    entrance = Entrance()
    entrance.contacts.write_errors = {
        "a@example.com": "Throttled",
        "b@example.com": "Broken",
        "c@example.com": "Throttled",
    }
    [end] = ends(entrance(a_bounce(recipients=["a@example.com", "b@example.com", "c@example.com"])))
    assert end == ("retry", "Broken, Throttled")


class BuggyContacts(FakeContacts):
    """Contacts with a bug: learning about one address raises."""

    def learn(self, facts: Iterable[Fact], until: datetime | None = None) -> Mapping[str, str]:
        """Store facts, unless one is about the address the bug is about."""
        facts = list(facts)
        if any(fact.address.key == OTHER for fact in facts):
            raise ZeroDivisionError(OTHER)
        return super().learn(facts, until)


def a_buggy_entrance() -> Entrance:
    """Return an entrance to contacts with a bug."""
    entrance = Entrance()
    contacts = BuggyContacts(now=entrance.clock.now)
    entrance.contacts = contacts
    entrance.pipeline = Pipeline(contacts, entrance.quarantine, now=entrance.clock.now)
    return entrance


def test_a_bug_stops_its_own_record_only() -> None:
    """A record the store chokes on is quarantined, and the others of its batch are stored."""
    entrance = a_buggy_entrance()
    report = entrance(a_bounce(), a_complaint(recipients=[OTHER]), a_complaint(recipients=["third@example.com"]))
    assert ends(report) == [("applied", ""), ("quarantined", "internal-error: ZeroDivisionError"), ("applied", "")]
    assert entrance.statuses() == {RECIPIENT: Status.BOUNCED, "third@example.com": Status.COMPLAINED}


def test_a_bug_and_a_fault() -> None:
    """When records are stored one by one, what can't be stored now still comes again."""
    entrance = a_buggy_entrance()
    entrance.contacts.write_errors[RECIPIENT] = "InternalServerError"
    ended = [end for end, _ in ends(entrance(a_bounce(), a_bounce(recipients=[OTHER])))]
    assert ended == ["retry", "quarantined"]


def test_a_bug_while_reading() -> None:
    """A record that can't even be read is quarantined, and the others are stored."""

    class Choking(dict[str, Any]):
        """A body on which looking for a key raises."""

        def __contains__(self, key: object) -> bool:
            raise ZeroDivisionError(key)

    entrance = Entrance()
    choking = {"eventSource": "aws:sqs", "messageId": "1", "body": Choking(a=1)}
    report = entrance.pipeline.process({"Records": [choking, an_sqs_record(a_bounce(), 2)]})
    assert ends(report) == [("quarantined", "internal-error: ZeroDivisionError"), ("applied", "")]


# --- Quarantine -----------------------------------------------------------------------------------------------------


def test_poison_is_kept_as_it_came() -> None:
    """Quarantine gets the very text, the reason, and the record it came in."""
    entrance = Entrance()
    entrance(" { not json ", POISON)
    assert entrance.quarantine.messages == [
        QuarantinedMessage(" { not json ", "not-json", "sqs-message-1"),
        QuarantinedMessage(POISON, "malformed: bounce: missing", "sqs-message-2"),
    ]


def test_poison_that_can_not_be_kept_comes_again() -> None:
    """A record is acknowledged only once it is in quarantine, and counted only then."""
    entrance = Entrance()
    entrance.quarantine.refusal = "OverLimit"
    refused = entrance(POISON)
    entrance.quarantine.refusal = ""
    kept = entrance(POISON)
    assert [*ends(refused), *ends(kept)] == [
        ("retry", "not quarantined: OverLimit"),
        ("quarantined", "malformed: bounce: missing"),
    ]
    assert [counts(refused), counts(kept)] == [{}, {"Quarantined": 1}]


def test_what_holds_of_a_message_is_stored_although_it_is_quarantined() -> None:
    """One unusable recipient does not keep the others' bounce from counting."""
    entrance = Entrance()
    report = entrance(a_bounce(recipients=["nobody", RECIPIENT]))
    assert ends(report) == [("quarantined", "unusable-recipient")]
    assert counts(report) == {"PermanentBounce": 1, "Quarantined": 1}
    assert entrance.statuses() == {RECIPIENT: Status.BOUNCED}


def test_a_message_is_stored_before_it_is_quarantined() -> None:
    """What must come again because of DynamoDB is not in quarantine as well."""
    entrance = Entrance()
    entrance.contacts.write_errors[RECIPIENT] = "ReadTimeoutError"
    assert ends(entrance(a_bounce(recipients=["nobody", RECIPIENT]))) == [("retry", "ReadTimeoutError")]
    assert entrance.quarantine.messages == []


def test_what_can_not_be_written_down_comes_again() -> None:
    """A decoded record that is no JSON can't be kept: Lambda tries again, and tells somebody in the end."""
    [end] = ends(Entrance().pipeline.process({"what": object()}))
    assert end == ("retry", "not quarantined: TypeError")


@pytest.mark.parametrize("identity", ["", "not an id", "canary@example.com", "x" * 129])
def test_an_odd_record_id_is_not_passed_on(identity: str) -> None:
    """What quarantine says of a message's source is an id or nothing."""
    entrance = Entrance()
    entrance.pipeline.process({"Records": [an_sqs_record("x", messageId=identity)]})
    assert [kept.source for kept in entrance.quarantine.messages] == ["unknown"]


# --- Counting -------------------------------------------------------------------------------------------------------


def test_a_batch_is_counted_together() -> None:
    """A batch is one metric_counts: by configuration set, recipient by recipient."""
    marketing = a_mail(configuration_set="marketing")
    report = Entrance()(
        a_bounce(recipients=[RECIPIENT, OTHER]), a_bounce(mail=marketing), a_send(), an_open(), a_click(), "notice"
    )
    assert report.metric_counts.counts == {
        (CONFIGURATION_SET, "PermanentBounce"): 2,
        ("marketing", "PermanentBounce"): 1,
        (CONFIGURATION_SET, "Send"): 2,
        (CONFIGURATION_SET, "Open"): 1,
        (CONFIGURATION_SET, "Click"): 1,
        ("", "Quarantined"): 1,
    }


def test_what_comes_again_is_not_counted() -> None:
    """A record is counted when it is done with, so once."""
    entrance = Entrance(lane="Complaint")
    entrance.contacts.write_errors[RECIPIENT] = "ReadTimeoutError"
    report = entrance(a_bounce())
    assert (counts(report), report.metric_counts.longest) == ({}, {})


LANES = [
    (lane, kind, body)
    for lane in ("Bounce", "Complaint", "Delivery", "")
    for kind, body in (
        ("Bounce", a_bounce()),
        ("Complaint", a_complaint()),
        ("Delivery", a_delivery()),
        ("Delivery", a_send()),
        ("Delivery", a_subscription()),
        ("", "Successfully validated SNS topic for Amazon SES event publishing."),
    )
]


@pytest.mark.parametrize(("lane", "kind", "body"), LANES)
def test_misrouted_feedback(lane: str, kind: str, body: object) -> None:
    """Feedback of another lane's kind is handled and counted as misrouted; notices come down every lane."""
    report = Entrance(lane=lane)(body)
    misrouted = bool(lane and kind and lane != kind)
    assert counts(report).get("MisroutedFeedback", 0) == misrouted
    assert ends(report)[0][0] in {"applied", "ignored"}


def test_lag() -> None:
    """The lag is from the event to now, the longest of the batch, by configuration set."""
    entrance = Entrance()
    now = entrance.clock.now()
    report = entrance(
        a_bounce(at=now - timedelta(seconds=90)),
        a_bounce(at=now - timedelta(seconds=2.5)),
        a_delivery(at=now - timedelta(seconds=1), mail=a_mail(configuration_set="marketing")),
    )
    # The carrier took the messages 8 seconds after START, so later times become the email's, which is START.
    oldest = round((now - START).total_seconds() * 1000)
    assert report.metric_counts.longest == {
        (CONFIGURATION_SET, "FeedbackLag"): oldest,
        ("marketing", "FeedbackLag"): oldest,
    }


def test_a_clock_ahead_is_no_lag() -> None:
    """Feedback of a bare document may be later than we think it is; its lag is none, not a negative one."""
    entrance = Entrance()
    now = entrance.clock.now()
    mail = a_mail(timestamp=format_timestamp(now))
    report = entrance.pipeline.process(a_bounce(at=now + timedelta(hours=1), mail=mail))
    assert report.metric_counts.longest == {(CONFIGURATION_SET, "FeedbackLag"): 0}


def test_ambiguous_complaints() -> None:
    """What becomes of a complaint that names several is the stack's choice."""
    complaint = a_complaint(recipients=[RECIPIENT, OTHER])
    entrances = Entrance(), Entrance(options=PolicyOptions(AmbiguousComplaint.NOTE))
    for entrance in entrances:
        entrance(complaint)
    both = {RECIPIENT: Status.UNSUBSCRIBED, OTHER: Status.UNSUBSCRIBED}
    assert [entrance.statuses() for entrance in entrances] == [both, {}]


# --- What may be said of a record -----------------------------------------------------------------------------------


def test_an_ordinary_record_needs_no_words() -> None:
    """A record that was applied is not exceptional, and names no contact."""
    [outcome] = Entrance()(a_bounce()).results
    assert (outcome.exceptional, outcome.contacts, outcome.kind) == (False, (), "Bounce")


def test_an_exceptional_record_is_told_by_hashes() -> None:
    """Of a record that matters by itself, kind, message and hashes of contacts are told, each once."""
    entrance = Entrance()
    entrance.contacts.write_errors[RECIPIENT] = "ReadTimeoutError"
    [outcome] = entrance(a_bounce(recipients=[RECIPIENT, RECIPIENT.upper(), OTHER])).results
    told = outcome.exceptional, outcome.kind, outcome.message_id, outcome.contacts
    assert told == (True, "Bounce", MESSAGE_ID, (contact_hash(RECIPIENT), contact_hash(OTHER)))


def test_a_message_id_that_is_none_is_not_told() -> None:
    """Only what looks like an id gets into a log."""
    entrance = Entrance()
    entrance.contacts.write_errors[RECIPIENT] = "ReadTimeoutError"
    [outcome] = entrance(a_bounce(mail=a_mail(messageId="canary@example.com"))).results
    assert outcome.message_id == ""


@pytest.mark.parametrize(
    "document", [a_bounce(recipients=[]), a_complaint(recipients=[]), a_bounce(bouncedRecipients=None)]
)
def test_a_bounce_that_names_nobody(document: object) -> None:
    """It is applied and changes nothing, and somebody should know."""
    [outcome] = Entrance()(document).results
    assert (outcome.disposition, outcome.reason) == (Disposition.APPLIED, "no-recipient")


def test_a_delivery_that_names_nobody() -> None:
    """There is nothing anybody could do about it."""
    assert ends(Entrance()(a_delivery(recipients=[]))) == [("applied", "")]


def test_a_hash_tells_nothing_but_itself() -> None:
    """A hash is short, and another for every contact."""
    assert (len(contact_hash(RECIPIENT)), contact_hash(RECIPIENT) == contact_hash(OTHER)) == (12, False)


@pytest.mark.parametrize("text", [MESSAGE_ID, "a", "A.b_c-1", "x" * 128])
def test_ids(text: str) -> None:
    """An id is passed on."""
    assert safe_id(text) == text


# --- Carriers -------------------------------------------------------------------------------------------------------

WRAPPED: list[tuple[object, Carrier]] = [
    (an_sqs_event(a_bounce()), Carrier.SQS),
    (an_sqs_event(an_sns_envelope(a_bounce())), Carrier.SQS),
    (an_sqs_event(an_sns_envelope(a_bus_event(a_bounce()))), Carrier.SQS),
    (an_sns_event(a_bounce()), Carrier.SNS),
    (a_bus_event(a_bounce()), Carrier.INVOKE),
    (a_bounce(), Carrier.INVOKE),
    (an_sns_envelope(a_bounce()), Carrier.INVOKE),
    (json.dumps(a_bounce()), Carrier.INVOKE),
]


@pytest.mark.parametrize(("event", "carrier"), WRAPPED)
def test_every_carrier_brings_the_same(event: object, carrier: Carrier) -> None:
    """However a bounce comes, the contact ends the same, and the report says what brought it."""
    entrance = Entrance()
    report = entrance.pipeline.process(event)
    [outcome] = report.results
    assert (entrance.statuses(), outcome.record.carrier) == ({RECIPIENT: Status.BOUNCED}, carrier)


# --- Time -----------------------------------------------------------------------------------------------------------


def test_no_time() -> None:
    """When there is no time to store or keep anything, what needs neither is done with and the rest comes again."""
    entrance = Entrance()
    report = entrance(a_bounce(), an_open(), POISON, until=entrance.clock.now())
    assert ends(report) == [("retry", "out-of-time")] * 3


def test_records_not_begun_at_the_deadline_are_retried_and_the_others_are_applied() -> None:
    entrance = Entrance()
    until = entrance.clock.now() + timedelta(seconds=1)
    bodies = [a_bounce(recipients=[f"reader-{number}@example.com"]) for number in range(3)]
    times = iter([until - timedelta(seconds=1), until - timedelta(milliseconds=1), until])
    pipeline = Pipeline(entrance.contacts, entrance.quarantine, now=lambda: next(times, until))
    report = pipeline.process(an_sqs_event(*bodies), until)
    assert ends(report)[2] == ("retry", "out-of-time")


def test_outcomes_compare() -> None:
    """The same record with the same end is the same outcome: reports can be compared."""
    [one] = Entrance()(a_bounce()).results
    [other] = Entrance()(a_bounce()).results
    assert (
        one == other == replace(one) == RecordResult(one.record, Disposition.APPLIED, "Bounce", message_id=MESSAGE_ID)
    )


def test_recipients_of_one_bounce_are_judged_by_themselves() -> None:
    """An auto-reply beside a bounce is no soft_bounce, and the bounce beside it is."""
    entrance = Entrance()
    replier = {"emailAddress": OTHER}
    entrance(a_bounce("Transient", "General", recipients=[a_bounced_recipient(), replier]))
    assert entrance.statuses() == {RECIPIENT: Status.BOUNCING}
    assert [record["verdict"]["S"] for record in entrance.contacts.history(OTHER)] == ["NOTE"]
