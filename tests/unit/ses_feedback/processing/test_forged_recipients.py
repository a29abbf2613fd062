"""An attack: a subscriber answers emails with forged DSNs that name other addresses.

Any receiver of an email can write a DSN, and SES reports the names in it. The attack must change no contact but the
subscriber's own. https://www.rfc-editor.org/rfc/rfc3464#section-4
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from time import process_time
from typing import Any

import pytest

from ses_feedback.contacts.status import Status
from ses_feedback.handlers import deliveries
from ses_feedback.judging.recipients import EmailRecipients
from ses_feedback.processing.pipeline import Pipeline
from tests.support.builders import (
    a_bounce,
    a_bounced_recipient,
    a_delivery,
    a_mail,
    an_s3_notification,
    an_sqs_event,
    text,
)
from tests.support.deployed_functions import EmbeddedStack, FakeContext, embedded_stack, log_to_current_stdout
from tests.support.fakes import FakeContacts, FakeQuarantine, ManualClock

SUBSCRIBER = "subscriber@example.com"
CUSTOMERS = 10
"""Victims that are contacts already."""
VICTIMS = tuple(f"victim-{number}@b\u00fccher-{number % 50}.example" for number in range(1_000))
MINUTE = FakeContext(timedelta(seconds=60))


def dsn(number: int, *victims: str) -> dict[str, Any]:
    """Return the bounce that SES makes of a forged DSN: an answer to one email that only the subscriber received."""
    mail = a_mail(configuration_set="newsletter", messageId=f"email-{number}", destination=[SUBSCRIBER])
    return a_bounce(recipients=victims, mail=mail, feedbackId=f"feedback-{number}")


ONE_EMAIL = [dsn(0, *VICTIMS)]
MANY_EMAILS = [dsn(number, *VICTIMS[number::50]) for number in range(50)]


@pytest.fixture
def stack() -> Iterator[EmbeddedStack]:
    """An embedded stack with some of the victims as contacts that received an email."""
    with embedded_stack(metric_configuration_sets=("newsletter",)) as stack:
        customers = VICTIMS[:CUSTOMERS]
        mail = a_mail(destination=list(customers))
        stack.feedback(lane="Delivery")(an_sqs_event(a_delivery(recipients=customers, mail=mail)), MINUTE)
        yield stack


def send_to_queue(stack: EmbeddedStack, bounces: list[dict[str, Any]]) -> object:
    """Invoke BounceFunction with the bounces, as SQS does."""
    return stack.feedback(lane="Bounce")(an_sqs_event(*bounces), MINUTE)


def write_to_file(stack: EmbeddedStack, bounces: list[dict[str, Any]]) -> object:
    """Write the bounces to an object of DeliveryBucket, as Firehose does, and invoke DeliveryFunction."""
    clients = stack.clients()
    clients.s3 = stack.aws.client("s3")
    clients.s3.create_bucket(Bucket="deliveries")
    clients.s3.put_object(Bucket="deliveries", Key="deliveries/1", Body="\n".join(map(text, bounces)).encode())
    settings = replace(stack.settings, delivery_bucket="deliveries", lane="Delivery")
    handler = deliveries.compose(settings, clients, now=stack.clock.now, sleep=stack.clock.sleep)
    log_to_current_stdout()
    return handler(an_sqs_event(an_s3_notification("deliveries/1")), MINUTE)


def unmatched(capsys: pytest.CaptureFixture[str]) -> float:
    """Return the sum of the metric `UnmatchedRecipient` that was printed."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return sum(sum(line.get("UnmatchedRecipient", ())) for line in lines if "_aws" in line)


@pytest.mark.parametrize("carry", [send_to_queue, write_to_file])
@pytest.mark.parametrize("attack", [ONE_EMAIL, MANY_EMAILS], ids=["one email", "fifty emails"])
def test_forged_dsns_change_only_the_subscribers_own_contact_and_a_metric_shows_them(
    stack: EmbeddedStack,
    capsys: pytest.CaptureFixture[str],
    attack: list[dict[str, Any]],
    carry: Callable[[EmbeddedStack, list[dict[str, Any]]], object],
) -> None:
    before = stack.items()
    assert len(before) == CUSTOMERS
    answer = carry(stack, attack)
    assert answer == {"batchItemFailures": []}
    assert unmatched(capsys) == len(VICTIMS)
    stack.drain()
    stack.sweep()
    others = {SUBSCRIBER, "suppression-list"}  # The item of the rate limiter: the sweep asks about the account.
    assert [item for item in stack.items() if item["address"]["S"] not in others] == before
    assert stack.contact(SUBSCRIBER).status is Status.BOUNCING
    assert (stack.listed(), stack.aws.quarantined()) == ({}, [])
    assert {call.operation for call in stack.sesv2.calls} == {"get_account"}


def test_a_bounce_of_150_kilobytes_with_a_thousand_internationalized_recipients_costs_less_than_50_ms() -> None:
    text_of_server = {"diagnosticCode": "smtp; 550 5.1.1 this user is unknown"}
    recipients = [a_bounced_recipient(victim, **text_of_server) for victim in VICTIMS]
    bounce = a_bounce(recipients=recipients, mail=a_mail(destination=[SUBSCRIBER]))
    event = an_sqs_event(bounce)
    assert len(event["Records"][0]["body"]) > 150_000
    assert min(cpu_seconds_of(event) for _ in range(5)) < 0.05  # other processes can only add to it


def test_a_bounce_with_a_thousand_names_parses_no_more_than_the_recipients_of_two_emails() -> None:
    email = EmailRecipients([SUBSCRIBER])
    parsed = [victim for victim in VICTIMS if email.parse(victim)]
    assert len(parsed) == 100


def cpu_seconds_of(event: object) -> float:
    """Return the CPU time that a feedback function takes for `event`, without the time of AWS."""
    clock = ManualClock()
    pipeline = Pipeline(FakeContacts(now=clock.now), FakeQuarantine(), now=clock.now)
    started = process_time()
    report = pipeline.process(event)
    seconds = process_time() - started
    assert [result.disposition.value for result in report.results] == ["applied"]
    return seconds
