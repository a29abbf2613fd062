"""The feedback itself: when each lane last received some, compared with what was sent."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from feedbackctl.doctor.facts import Facts
from feedbackctl.doctor.model import Finding, fail, ok, skipped, warn
from ses_feedback.settings import LANES

_SEND = "https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-cloudwatch.html"
_WEEKS = timedelta(days=14)
_ENOUGH_FOR_BOUNCES = 5000
"""Emails of which some bounce for certain: a list with fewer than one bounce in 1,000 is rare."""


def check_lanes(facts: Facts) -> Iterator[Finding]:
    """Compare the last feedback of each lane with the number of emails of 24 hours."""
    sent = facts.sum_of_day("AWS/SES", "Send")
    last = {lane: _last_invocation(facts, lane) for lane in LANES}
    if sent == 0:
        yield skipped("Send", "SES sent no email in 24 hours")
    elif facts.is_silent:
        yield fail(
            "Send",
            f"SES sent {sent:,.0f} emails in 24 hours, and no lane received feedback",
            advice=f"Send with the configuration set {facts.configuration_set} (docs/operate/connect.md).",
            url=_SEND,
        )
    else:
        yield ok("Send", f"{sent:,.0f} emails in 24 hours")
    for lane in LANES:
        yield _judge_lane(facts, lane, last[lane], sent)


def _judge_lane(facts: Facts, lane: str, last: datetime | None, sent: float) -> Finding:
    received = facts.invocations_in_a_day(lane)
    seen = "no feedback in two weeks" if last is None else f"last feedback {_ago(facts.now - last)}"
    delivered = facts.settled("Delivery") if lane == "Delivery" and facts.deliveries_by != "None" else 0
    if delivered and not received and not facts.is_silent:
        message = f"{seen}, although SES delivered {delivered:,.0f} emails in 24 hours: deliveries do not arrive"
        return fail("Delivery lane", message, advice="See docs/operate/connect.md.", url=_SEND)
    if lane == "Bounce" and sent >= _ENOUGH_FOR_BOUNCES and not received:
        return warn("Bounce lane", f"{seen}, although {sent:,.0f} emails were sent in 24 hours", url=_SEND)
    return ok(f"{lane} lane", seen)


def _last_invocation(facts: Facts, lane: str) -> datetime | None:
    hours = facts.hourly("AWS/Lambda", "Invocations", _WEEKS, FunctionName=facts.function_name(lane))
    return next((at for at, value in hours if value), None)


def _ago(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    return "within two hours" if hours < 2 else f"{hours} hours ago" if hours < 48 else f"{hours // 24} days ago"  # noqa: PLR2004 (two hours, two days)


CHECKS = (check_lanes,)
