"""The pipeline gives each record one disposition, independently of the other records."""

import hashlib
import hmac
import json
from collections import Counter
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
    a_preference,
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
STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/ses-feedback/1b2c3d4e-0000-1111-2222-333344445555"
POISON = '{"eventType": "Bounce"}'


class PipelineFixture:
    """A pipeline with fakes of its stores."""

    def __init__(self, *, lane: str = "", options: PolicyOptions = PolicyOptions()) -> None:  # noqa: B008 (immutable)
        """Create the pipeline."""
        self.clock = ManualClock()
        self.contacts = FakeContacts(now=self.clock.now)
        self.quarantine = FakeQuarantine()
        self.pipeline = Pipeline(self.contacts, self.quarantine, now=self.clock.now, options=options, lane=lane)

    def __call__(self, *bodies: object, until: datetime | None = None) -> BatchReport:
        """Process an SQS event with messages of these bodies."""
        return self.pipeline.process(an_sqs_event(*bodies), until)

    def statuses(self) -> dict[str, Status]:
        """Return the status of each contact."""
        return {address: decode(item).status for address, item in self.contacts.items.items()}


def dispositions(report: BatchReport) -> list[tuple[str, str]]:
    """Return the disposition and the reason of each record."""
    return [(result.disposition.value, result.reason) for result in report.results]


def counts(report: BatchReport) -> dict[str, int]:
    """Return the metric counts, added up over all configuration sets."""
    totals: Counter[str] = Counter()
    for (_, name), number in report.metric_counts.counts.items():
        totals[name] += number
    return totals


# --- Dispositions --------------------------------------------------------------------------------------------------


def test_each_record_of_a_batch_gets_one_of_four_dispositions() -> None:
    fixture = PipelineFixture()
    fixture.contacts.write_errors[OTHER] = "InternalServerError"
    notice = "Successfully validated SNS topic for Amazon SES event publishing."
    report = fixture(a_bounce(), notice, POISON, a_complaint(recipients=[OTHER]))
    assert dispositions(report) == [
        ("applied", ""),
        ("ignored", ""),
        ("quarantined", "malformed: bounce: missing"),
        ("retry", "InternalServerError"),
    ]
    assert report.dispositions == {"applied": 1, "ignored": 1, "quarantined": 1, "retry": 1}
    assert fixture.statuses() == {RECIPIENT: Status.BOUNCED}


def test_several_records_about_one_contact_cause_one_write() -> None:
    fixture = PipelineFixture()
    fixture(a_bounce(), a_complaint(), a_delivery(), a_bounce("Transient", at=AT + timedelta(days=1)))
    assert (fixture.statuses(), len(fixture.contacts.written)) == ({RECIPIENT: Status.COMPLAINED}, 1)


@pytest.mark.parametrize("event", [None, 7, "text", [], {}, {"Records": "no"}, {"Records": [None, 7, {}]}])
def test_every_record_of_an_unknown_event_is_quarantined(event: object) -> None:
    """An event without records is one record."""
    fixture = PipelineFixture()
    report = fixture.pipeline.process(event)
    assert {result.disposition for result in report.results} == {Disposition.QUARANTINED}
    assert len(fixture.quarantine.messages) == len(report.results) > 0


def test_an_event_with_an_empty_list_of_records_has_no_results() -> None:
    assert PipelineFixture().pipeline.process({"Records": []}).results == ()


# --- Independence of records -----------------------------------------------------------------------------------------


def test_only_records_about_a_contact_that_cannot_be_stored_are_retried() -> None:
    fixture = PipelineFixture()
    fixture.contacts.write_errors[OTHER] = "ReadTimeoutError"
    bodies = a_bounce(recipients=[RECIPIENT]), a_bounce(recipients=[RECIPIENT, OTHER]), a_delivery(recipients=[OTHER])
    assert [disposition for disposition, _ in dispositions(fixture(*bodies))] == ["applied", "retry", "retry"]


def test_the_reason_of_a_retry_lists_each_cause_once_in_order() -> None:
    fixture = PipelineFixture()
    fixture.contacts.write_errors = {
        "a@example.com": "Throttled",
        "b@example.com": "Broken",
        "c@example.com": "Throttled",
    }
    [result] = dispositions(fixture(a_bounce(recipients=["a@example.com", "b@example.com", "c@example.com"])))
    assert result == ("retry", "Broken, Throttled")


class ContactsWithBug(FakeContacts):
    """A contact store that raises ZeroDivisionError for facts about one address."""

    def learn(self, facts: Iterable[Fact], until: datetime | None = None) -> Mapping[str, str]:
        """Store facts, or raise if one of them is about `OTHER`."""
        facts = list(facts)
        if any(fact.address.key == OTHER for fact in facts):
            raise ZeroDivisionError(OTHER)
        return super().learn(facts, until)


def a_pipeline_with_a_bug() -> PipelineFixture:
    """Return a pipeline whose contact store has a bug."""
    fixture = PipelineFixture()
    contacts = ContactsWithBug(now=fixture.clock.now)
    fixture.contacts = contacts
    fixture.pipeline = Pipeline(contacts, fixture.quarantine, now=fixture.clock.now)
    return fixture


def test_a_bug_in_the_store_quarantines_only_the_record_that_causes_it() -> None:
    fixture = a_pipeline_with_a_bug()
    report = fixture(a_bounce(), a_complaint(recipients=[OTHER]), a_complaint(recipients=["third@example.com"]))
    assert dispositions(report) == [
        ("applied", ""),
        ("quarantined", "internal-error: ZeroDivisionError"),
        ("applied", ""),
    ]
    assert fixture.statuses() == {RECIPIENT: Status.BOUNCED, "third@example.com": Status.COMPLAINED}


def test_a_failed_write_is_retried_even_if_records_are_stored_one_by_one() -> None:
    fixture = a_pipeline_with_a_bug()
    fixture.contacts.write_errors[RECIPIENT] = "InternalServerError"
    found = [disposition for disposition, _ in dispositions(fixture(a_bounce(), a_bounce(recipients=[OTHER])))]
    assert found == ["retry", "quarantined"]


def test_a_bug_in_the_parser_quarantines_only_the_record_that_causes_it() -> None:
    class RaisingBody(dict[str, Any]):
        """A body that raises when a key is looked up."""

        def __contains__(self, key: object) -> bool:
            raise ZeroDivisionError(key)

    fixture = PipelineFixture()
    record = {"eventSource": "aws:sqs", "messageId": "1", "body": RaisingBody(a=1)}
    report = fixture.pipeline.process({"Records": [record, an_sqs_record(a_bounce(), 2)]})
    assert dispositions(report) == [("quarantined", "internal-error: ZeroDivisionError"), ("applied", "")]


# --- Quarantine -----------------------------------------------------------------------------------------------------


def test_the_quarantine_stores_original_text_reason_and_record_id() -> None:
    fixture = PipelineFixture()
    fixture(" { not json ", POISON)
    assert fixture.quarantine.messages == [
        QuarantinedMessage(" { not json ", "not-json", "sqs-message-1"),
        QuarantinedMessage(POISON, "malformed: bounce: missing", "sqs-message-2"),
    ]


def test_a_record_that_cannot_be_quarantined_is_retried_and_not_counted() -> None:
    fixture = PipelineFixture()
    fixture.quarantine.refusal = "OverLimit"
    not_stored = fixture(POISON)
    fixture.quarantine.refusal = ""
    stored = fixture(POISON)
    assert [*dispositions(not_stored), *dispositions(stored)] == [
        ("retry", "not quarantined: OverLimit"),
        ("quarantined", "malformed: bounce: missing"),
    ]
    assert [counts(not_stored), counts(stored)] == [{}, {"Quarantined": 1}]


def test_facts_about_usable_recipients_are_stored_although_the_message_is_quarantined() -> None:
    fixture = PipelineFixture()
    report = fixture(a_bounce(recipients=["without-at-sign", RECIPIENT]))
    assert dispositions(report) == [("quarantined", "unusable-recipient")]
    assert counts(report) == {"PermanentBounce": 1, "Quarantined": 1}
    assert fixture.statuses() == {RECIPIENT: Status.BOUNCED}


def test_a_message_whose_facts_cannot_be_stored_is_not_quarantined() -> None:
    fixture = PipelineFixture()
    fixture.contacts.write_errors[RECIPIENT] = "ReadTimeoutError"
    assert dispositions(fixture(a_bounce(recipients=["without-at-sign", RECIPIENT]))) == [("retry", "ReadTimeoutError")]
    assert fixture.quarantine.messages == []


def test_decoded_content_that_is_no_json_is_retried() -> None:
    """Lambda retries the invocation, then passes it to the failure destination."""
    [result] = dispositions(PipelineFixture().pipeline.process({"content": object()}))
    assert result == ("retry", "not quarantined: TypeError")


@pytest.mark.parametrize("identity", ["", "not an id", "canary@example.com", "x" * 129])
def test_the_quarantine_gets_no_record_id_that_may_be_personal_data(identity: str) -> None:
    fixture = PipelineFixture()
    fixture.pipeline.process({"Records": [an_sqs_record("x", messageId=identity)]})
    assert [message.source for message in fixture.quarantine.messages] == ["unknown"]


# --- Counting -------------------------------------------------------------------------------------------------------


def test_metrics_are_counted_per_configuration_set_and_recipient() -> None:
    marketing = a_mail(configuration_set="marketing")
    report = PipelineFixture()(
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


def test_a_record_to_retry_is_not_counted() -> None:
    """It is counted when it is finished, and therefore once."""
    fixture = PipelineFixture(lane="Complaint")
    fixture.contacts.write_errors[RECIPIENT] = "ReadTimeoutError"
    report = fixture(a_bounce())
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
def test_feedback_of_another_lane_is_applied_and_counted_as_misrouted(lane: str, kind: str, body: object) -> None:
    """Notices arrive in every lane."""
    report = PipelineFixture(lane=lane)(body)
    misrouted = bool(lane and kind and lane != kind)
    assert counts(report).get("MisroutedFeedback", 0) == misrouted
    assert dispositions(report)[0][0] in {"applied", "ignored"}


STREAMS = PolicyOptions(streams=frozenset({"newsletter"}))


@pytest.mark.parametrize("lane", ["Complaint", ""])
def test_a_preference_message_is_applied_like_feedback(lane: str) -> None:
    fixture = PipelineFixture(lane=lane, options=STREAMS)
    report = fixture(a_preference(), a_preference("unsubscribe", "newsletter", address="Other <other@example.com>"))
    assert dispositions(report) == [("applied", "")] * 2
    assert fixture.statuses() == {RECIPIENT: Status.UNSUBSCRIBED, OTHER: Status.ACTIVE}
    assert fixture.contacts.items[OTHER]["no_streams"] == {"L": [{"S": "newsletter"}]}
    assert report.metric_counts.counts == {("", "OptOut"): 1, ("newsletter", "OptOut"): 1}
    assert {configuration_set for configuration_set, _ in report.metric_counts.longest} == {"", "newsletter"}


def test_the_copy_of_a_preference_message_changes_nothing() -> None:
    fixture = PipelineFixture(lane="Complaint", options=STREAMS)
    fixture(a_preference("unsubscribe", "newsletter"))
    before = dict(fixture.contacts.items)
    fixture(a_preference("unsubscribe", "newsletter"))
    assert before == fixture.contacts.items


@pytest.mark.parametrize("lane", ["Bounce", "Delivery"])
def test_a_preference_message_in_another_lane_is_quarantined_with_the_reason(lane: str) -> None:
    fixture = PipelineFixture(lane=lane, options=STREAMS)
    report = fixture(a_preference(), a_bounce(recipients=[OTHER]))
    assert dispositions(report) == [("quarantined", "preference-in-wrong-lane"), ("applied", "")]
    assert list(fixture.statuses()) == [OTHER]
    assert counts(report)["Quarantined"] == 1
    assert "OptOut" not in counts(report)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (a_preference(version=2), "malformed-preference: version: value_error"),
        (a_preference(steam="newsletter"), "malformed-preference: unknown field: extra_forbidden"),
        (a_preference(address="no-at-sign"), "malformed-preference: address: value_error"),
        (a_preference("subscribe", "offers"), "undeclared-stream"),
    ],
)
def test_an_unusable_preference_message_is_quarantined_with_the_reason(message: object, reason: str) -> None:
    fixture = PipelineFixture(lane="Complaint", options=STREAMS)
    report = fixture(message)
    assert dispositions(report) == [("quarantined", reason)]
    assert [(kept.reason, json.loads(kept.original)) for kept in fixture.quarantine.messages] == [(reason, message)]
    assert fixture.statuses() == {}
    assert "OptIn" not in counts(report)


def test_a_redrive_never_changes_the_time_of_a_preference_message() -> None:
    """The application's clock is ahead, so that the message has the time at which it was first sent."""
    first = format_timestamp(AT)
    message = a_preference(time="2031-01-01T00:00:00Z")
    fixture = PipelineFixture(lane="Complaint", options=STREAMS)
    for later in (1, 5):
        record = an_sqs_record(
            message,
            attributes={"SentTimestamp": str(int((AT + timedelta(days=later)).timestamp() * 1000))},
            messageAttributes={"sent-at": {"stringValue": first, "dataType": "String"}},
        )
        fixture.pipeline.process({"Records": [record]})
    assert fixture.contacts.items[RECIPIENT]["unsubscribed_at"] == {"S": first}
    assert fixture.contacts.items[RECIPIENT]["rev"] == {"N": "1"}


def test_the_log_line_of_a_preference_message_has_no_id_of_the_application() -> None:
    fixture = PipelineFixture(lane="Complaint", options=STREAMS)
    fixture.contacts.write_errors[RECIPIENT] = "InternalServerError"
    (result,) = fixture(a_preference(id="ada-lovelace")).results
    assert (result.kind, result.disposition, result.message_id) == ("Preference", Disposition.RETRY, "")


def test_a_document_with_an_event_type_is_feedback_whatever_else_it_has() -> None:
    fixture = PipelineFixture(lane="Bounce")
    assert dispositions(fixture(a_bounce() | a_preference())) == [("applied", "")]
    assert fixture.statuses() == {RECIPIENT: Status.BOUNCED}


def test_feedback_lag_is_the_longest_delay_of_the_batch_per_configuration_set() -> None:
    fixture = PipelineFixture()
    now = fixture.clock.now()
    report = fixture(
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


def test_an_event_in_the_future_has_a_lag_of_zero() -> None:
    fixture = PipelineFixture()
    now = fixture.clock.now()
    mail = a_mail(timestamp=format_timestamp(now))
    report = fixture.pipeline.process(a_bounce(at=now + timedelta(hours=1), mail=mail))
    assert report.metric_counts.longest == {(CONFIGURATION_SET, "FeedbackLag"): 0}


def test_a_complaint_with_several_recipients_follows_the_configured_option() -> None:
    complaint = a_complaint(recipients=[RECIPIENT, OTHER])
    fixtures = PipelineFixture(), PipelineFixture(options=PolicyOptions(AmbiguousComplaint.NOTE))
    for fixture in fixtures:
        fixture(complaint)
    both = {RECIPIENT: Status.UNSUBSCRIBED, OTHER: Status.UNSUBSCRIBED}
    assert [fixture.statuses() for fixture in fixtures] == [both, {}]


# --- Results --------------------------------------------------------------------------------------------------------


def test_an_applied_record_is_not_exceptional_and_contains_no_hashes() -> None:
    [result] = PipelineFixture()(a_bounce()).results
    assert (result.exceptional, result.contacts, result.kind) == (False, (), "Bounce")


def test_an_exceptional_record_contains_kind_message_id_and_hashes_of_contacts() -> None:
    fixture = PipelineFixture()
    fixture.contacts.write_errors[RECIPIENT] = "ReadTimeoutError"
    [result] = fixture(a_bounce(recipients=[RECIPIENT, RECIPIENT.upper(), OTHER])).results
    found = result.exceptional, result.kind, result.message_id, result.contacts
    assert found == (True, "Bounce", MESSAGE_ID, (contact_hash(RECIPIENT, ""), contact_hash(OTHER, "")))


def test_a_message_id_that_may_be_personal_data_is_omitted() -> None:
    fixture = PipelineFixture()
    fixture.contacts.write_errors[RECIPIENT] = "ReadTimeoutError"
    [result] = fixture(a_bounce(mail=a_mail(messageId="canary@example.com"))).results
    assert result.message_id == ""


@pytest.mark.parametrize(
    "document", [a_bounce(recipients=[]), a_complaint(recipients=[]), a_bounce(bouncedRecipients=None)]
)
def test_a_bounce_or_complaint_without_recipients_is_applied_with_a_reason(document: object) -> None:
    """It changes no contact. The log line tells the operator about it."""
    [result] = PipelineFixture()(document).results
    assert (result.disposition, result.reason) == (Disposition.APPLIED, "no-recipient")


def test_a_delivery_without_recipients_is_applied_without_a_reason() -> None:
    assert dispositions(PipelineFixture()(a_delivery(recipients=[]))) == [("applied", "")]


def test_contact_hashes_are_short_and_differ_between_addresses_and_between_stacks() -> None:
    hashes = [contact_hash(address, stack) for address in (RECIPIENT, OTHER) for stack in ("", STACK_ID, STACK_ID[:-1])]
    assert ({len(each) for each in hashes}, len(set(hashes))) == ({12}, 6)


def test_contact_hash_is_an_hmac_whose_key_is_not_in_the_logs() -> None:
    """Without the key, a reader of the logs cannot test guessed addresses."""
    expected = hmac.digest(STACK_ID.encode(), RECIPIENT.encode(), "sha256").hex()
    assert contact_hash(RECIPIENT, STACK_ID) == expected[:12]
    assert contact_hash(RECIPIENT, STACK_ID) not in hashlib.sha256(RECIPIENT.encode()).hexdigest()


def test_the_pipeline_hashes_contacts_with_its_key() -> None:
    fixture = PipelineFixture()
    fixture.pipeline = Pipeline(fixture.contacts, fixture.quarantine, now=fixture.clock.now, hash_key=STACK_ID)
    fixture.contacts.write_errors[RECIPIENT] = "ReadTimeoutError"
    [result] = fixture(a_bounce()).results
    assert result.contacts == (contact_hash(RECIPIENT, STACK_ID),)


@pytest.mark.parametrize("text", [MESSAGE_ID, "a", "A.b_c-1", "x" * 128])
def test_an_id_is_safe(text: str) -> None:
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
def test_every_carrier_yields_the_same_contact(event: object, carrier: Carrier) -> None:
    fixture = PipelineFixture()
    report = fixture.pipeline.process(event)
    [result] = report.results
    assert (fixture.statuses(), result.record.carrier) == ({RECIPIENT: Status.BOUNCED}, carrier)


# --- Time -----------------------------------------------------------------------------------------------------------


def test_without_time_left_all_records_are_retried() -> None:
    fixture = PipelineFixture()
    report = fixture(a_bounce(), an_open(), POISON, until=fixture.clock.now())
    assert dispositions(report) == [("retry", "out-of-time")] * 3


def test_records_not_begun_at_the_deadline_are_retried_and_the_others_are_applied() -> None:
    fixture = PipelineFixture()
    until = fixture.clock.now() + timedelta(seconds=1)
    bodies = [a_bounce(recipients=[f"reader-{number}@example.com"]) for number in range(3)]
    times = iter([until - timedelta(seconds=1), until - timedelta(milliseconds=1), until])
    pipeline = Pipeline(fixture.contacts, fixture.quarantine, now=lambda: next(times, until))
    report = pipeline.process(an_sqs_event(*bodies), until)
    assert dispositions(report)[2] == ("retry", "out-of-time")


def test_without_a_carrier_feedback_is_not_later_than_the_invocation() -> None:
    """A time after it becomes the email's, and without an email the invocation's."""
    fixture = PipelineFixture()
    late = fixture.clock.now() + timedelta(days=1)
    fixture.pipeline.process(a_bounce(at=late))
    undated = a_complaint(recipients=[OTHER], mail={"destination": [OTHER]}, timestamp=None)
    fixture.pipeline.process(undated)
    assert [record["at"]["S"] for record in fixture.contacts.history(RECIPIENT)] == [format_timestamp(START)]
    assert [record["at"]["S"] for record in fixture.contacts.history(OTHER)] == [format_timestamp(fixture.clock.now())]


def test_equal_results_compare_equal() -> None:
    [first] = PipelineFixture()(a_bounce()).results
    [second] = PipelineFixture()(a_bounce()).results
    expected = RecordResult(first.record, Disposition.APPLIED, "Bounce", message_id=MESSAGE_ID)
    assert first == second == replace(first) == expected


def test_an_auto_reply_and_a_soft_bounce_in_one_event_are_judged_separately() -> None:
    fixture = PipelineFixture()
    auto_reply = {"emailAddress": OTHER}
    fixture(a_bounce("Transient", "General", recipients=[a_bounced_recipient(), auto_reply]))
    assert fixture.statuses() == {RECIPIENT: Status.BOUNCING}
    assert [record["verdict"]["S"] for record in fixture.contacts.history(OTHER)] == ["NOTE"]
