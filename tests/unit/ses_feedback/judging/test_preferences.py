"""Judgements of preference messages."""

from datetime import timedelta

from ses_feedback.contacts.status import Status, opted_out_streams, standing
from ses_feedback.judging.facts import EventDetails, Judgement, Verdict
from ses_feedback.judging.policy import PolicyOptions
from ses_feedback.judging.preferences import judge_preference
from ses_feedback.message_order import day_of_message, day_of_time, number_message
from ses_feedback.reading.preference_messages import parse_preference
from tests.support.builders import AT, RECIPIENT, Json, a_contact, a_fact, a_preference, an_opt_out, on_day
from tests.support.sync_fixture import LIMITS

STREAMS = frozenset({"newsletter", "offers", "tips"})
LATER = AT + timedelta(days=2)


def judged(document: Json, streams: frozenset[str] = STREAMS) -> Judgement:
    """Return the judgement of a message that arrives two days after its time."""
    return judge_preference(parse_preference(document), LATER, PolicyOptions(streams=streams))


def test_a_fact_has_the_time_and_the_fields_of_its_message() -> None:
    (fact,) = judged(a_preference("unsubscribe", "offers", id="a-7")).facts
    details = EventDetails("Preference", "unsubscribe", "offers", message_id="a-7", stated_reason="preference center")
    assert (fact.at, fact.reason, fact.stream, fact.details) == (AT, "Preference/Unsubscribe", "offers", details)
    assert fact.message == number_message(AT, "a-7")
    assert day_of_message(fact.message) == day_of_time(AT)


def test_a_request_is_not_later_than_its_carrier() -> None:
    message = parse_preference(a_preference(time="2031-01-01T00:00:00Z"))
    judgement = judge_preference(message, AT, PolicyOptions())
    assert (judgement.at, [fact.at for fact in judgement.facts]) == (AT, [AT])


def test_the_address_variant_of_a_message_is_the_key() -> None:
    """The application may write the address in another way than the emails did."""
    (fact,) = judged(a_preference(address="Recipient@Example.com")).facts
    assert (fact.address.key, fact.address.variant) == (RECIPIENT, RECIPIENT)


def test_an_opt_out_of_an_undeclared_stream_means_all_email() -> None:
    """No opt-out may be lost."""
    (fact,) = judged(a_preference("unsubscribe", "events")).facts
    assert (fact.rule, fact.stream, fact.details.sub_type) == ("preference-unsubscribe", "", "events")


def test_an_opt_in_to_an_undeclared_stream_is_a_problem() -> None:
    """It must not mean all email, and it must not be lost either."""
    judgement = judged(a_preference("subscribe", "events"))
    assert (judgement.facts, judgement.counts, judgement.problem) == ((), (), "undeclared-stream")


def test_an_opt_in_to_all_email_opts_into_each_declared_stream() -> None:
    facts = judged(a_preference("subscribe")).facts
    assert [(fact.verdict, fact.stream) for fact in facts] == [
        (Verdict.SUBSCRIBE, stream) for stream in ("", "newsletter", "offers", "tips")
    ]
    before = [a_fact(Verdict.UNSUBSCRIBE, on_day(-1)), an_opt_out("offers", on_day(-1))]
    contact = a_contact(*before, *facts)
    assert (standing(contact, LIMITS).status, opted_out_streams(contact)) == (Status.ACTIVE, ())


def test_an_opt_in_removes_no_bounce_complaint_or_suspension() -> None:
    facts = judged(a_preference("subscribe")).facts
    for verdict, status in ((Verdict.SUPPRESS, Status.BOUNCED), (Verdict.COMPLAIN, Status.COMPLAINED)):
        assert standing(a_contact(a_fact(verdict, on_day(-1)), *facts), LIMITS).status is status
    days = [a_fact(Verdict.SOFT_BOUNCE, on_day(-day)) for day in range(1, 6)]
    assert standing(a_contact(*days, *facts), LIMITS).status is Status.SUSPENDED


def test_one_message_is_counted_once_under_its_stream() -> None:
    for document, counted in (
        (a_preference("unsubscribe", "offers"), ("offers", (("OptOut", 1),))),
        (a_preference("subscribe"), ("", (("OptIn", 1),))),
        (a_preference("unsubscribe", "undeclared"), ("", (("OptOut", 1),))),
        (a_preference(address="bounce@simulator.amazonses.com"), ("simulator", (("OptOut", 1),))),
    ):
        judgement = judged(document)
        assert (judgement.counted_under, judgement.counts) == counted
