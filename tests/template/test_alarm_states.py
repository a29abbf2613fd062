"""Each alarm of template.yaml under CloudWatch's rules: below, at and above its threshold, and with data missing."""

from collections.abc import Sequence
from typing import Any

import pytest

from localaws.cloudwatch.alarms import ALARM, MAX_METRICS, OK, MetricKey, evaluate_alarm, watched_metrics
from tests.support.sam_template import BOTH_PATHS, LANES, stack
from tools.cloudwatch.published import is_published

WITH_ALL_ALARMS = {"AccountSilence": "true"}
SET = (("ConfigurationSet", "${ConfigurationSet}"),)
SES_SET = (("ses:configuration-set", "${ConfigurationSet}"),)
SENDS = MetricKey("AWS/SES", "Send", SES_SET)
ECHOES = MetricKey("SesFeedback", "SuppressionEcho", SET)
BOUNCES = MetricKey("SesFeedback", "PermanentBounce", SET)
COMPLAINTS = MetricKey("SesFeedback", "Complaint", SET)
BATCHES = MetricKey("SesFeedback", "FeedbackLag", SET)
ACCOUNT_SENDS = MetricKey("AWS/SES", "Send")
DAY_S, WEEK_S = 86_400, 7 * 86_400

QUEUES = ("QuarantineNotEmpty", "DeadLettersNotEmpty", "UndeliveredNotEmpty")
LANES_WAIT = tuple(f"{lane}LaneWaits" for lane in LANES)
FUNCTIONS_FAIL = tuple(f"{name}FunctionFails" for name in (*LANES, "Suppression"))

SINGLE: dict[str, tuple[float, float, float]] = {
    **dict.fromkeys(QUEUES, (0, 0, 1)),
    **dict.fromkeys(LANES_WAIT, (899, 900, 901)),
    **dict.fromkeys(FUNCTIONS_FAIL, (0, 0, 1)),
    "DeliveryStreamWaits": (1_799, 1_800, 1_801),
    "DeliveryStreamThrottled": (0, 0, 1),
    "RetriesStuck": (3_599_999, 3_600_000, 3_600_001),
    "StreamStalls": (1_799_999, 1_800_000, 1_800_001),
    "SuppressionLags": (3_599_999, 3_600_000, 3_600_001),
    "BounceRate": (0.039, 0.04, 0.041),
    "ComplaintRate": (0.00079, 0.0008, 0.00081),
    "AccountRestricted": (0, 1, 1),
    "ContactsSuppressed": (499, 500, 501),
    "ProvidersReject": (49, 50, 51),
    "RecipientsUnmatched": (99, 100, 101),
    "RenderingFails": (0, 0, 1),
}
"""Alarms on one metric: values below, at and above the threshold."""
AT_THRESHOLD = {
    "RetriesStuck",
    "BounceRate",
    "ComplaintRate",
    "AccountRestricted",
    "ContactsSuppressed",
    "ProvidersReject",
    "RecipientsUnmatched",
}
"""Alarms that are raised at their threshold. The others are raised above it."""
KEEP_STATE = {"BounceRate", "ComplaintRate", "AccountRestricted"}
"""Alarms that keep their state while data is missing."""


def alarms() -> dict[str, dict[str, Any]]:
    """Return the alarms of all deployments."""
    return {
        name: properties
        for path in BOTH_PATHS
        for name, properties in stack(**path, **WITH_ALL_ALARMS).of_type("AWS::CloudWatch::Alarm").items()
    }


def state_of(name: str, *values: float | None, state: str = OK) -> str:
    """Return the state of an alarm on one metric after these values, the newest last."""
    (metric,) = watched_metrics(alarms()[name])
    return evaluate_alarm(alarms()[name], {metric.key: values}, state)


class TestOneMetric:
    """Alarms on one metric."""

    @pytest.mark.parametrize("name", sorted(SINGLE))
    def test_it_is_raised_at_or_above_its_threshold_and_not_below(self, name: str) -> None:
        periods = int(alarms()[name]["EvaluationPeriods"])
        below, at, above = ([value] * periods for value in SINGLE[name])
        expected = [OK, ALARM if name in AT_THRESHOLD else OK, ALARM]
        assert [state_of(name, *values) for values in (below, at, above)] == expected

    @pytest.mark.parametrize("name", sorted(SINGLE))
    def test_missing_data_ends_it_unless_it_keeps_its_state(self, name: str) -> None:
        assert state_of(name, state=ALARM) == (ALARM if name in KEEP_STATE else OK)
        assert state_of(name, state=OK) == OK

    @pytest.mark.parametrize("name", FUNCTIONS_FAIL)
    def test_a_function_fails_in_two_of_three_periods(self, name: str) -> None:
        assert [state_of(name, 0, 0, 1), state_of(name, 1, 0, 1)] == [OK, ALARM]

    @pytest.mark.parametrize(
        ("samples", "expected"),
        [
            ((12, 12, 12), OK),
            ((12, 0, 1), OK),
            ((12, 12, 12, None, None), OK),  # Two hours without an answer.
            ((12, 0, 0, 0), ALARM),
            ((None, None, None, None, None), ALARM),
        ],
    )
    def test_an_unknown_account_is_an_alarm_after_three_hours(
        self, samples: Sequence[float | None], expected: str
    ) -> None:
        assert state_of("AccountUnknown", *samples) == expected


def rate_state(name: str, sends: float | None, events: float | None, echoes: float | None = None) -> str:
    """Return the state of an alarm on a rate."""
    events_of = BOUNCES if name.startswith("Bounce") else COMPLAINTS
    return evaluate_alarm(alarms()[name], {SENDS: [sends], events_of: [events], ECHOES: [echoes]})


RATES = {
    # Emails, events below and at the threshold, and the floors of both.
    "BounceRateOfHour": (1_000, 49, 50, 200, 20),
    "BounceRateOfDay": (10_000, 399, 400, 1_000, 50),
    "ComplaintRateOfHour": (2_000, 9, 10, 200, 5),
    "ComplaintRateOfDay": (20_000, 19, 20, 1_000, 10),
}


class TestMetricMath:
    """Alarms on an expression."""

    @pytest.mark.parametrize("name", sorted(RATES))
    def test_a_rate_is_raised_at_its_threshold(self, name: str) -> None:
        sends, below, at, *_ = RATES[name]
        assert [rate_state(name, sends, events) for events in (below, at, at + 1)] == [OK, ALARM, ALARM]

    @pytest.mark.parametrize("name", sorted(RATES))
    def test_a_rate_below_either_floor_is_never_raised(self, name: str) -> None:
        floor_sends, floor_events = RATES[name][3:]
        assert rate_state(name, floor_sends, floor_sends) == ALARM
        assert rate_state(name, floor_sends - 1, floor_sends - 1) == OK
        assert rate_state(name, floor_sends, floor_events - 1) == OK

    @pytest.mark.parametrize("name", sorted(RATES))
    def test_a_rate_without_data_on_either_side_is_not_raised(self, name: str) -> None:
        assert [rate_state(name, None, None), rate_state(name, 9_999, None), rate_state(name, None, 999)] == [OK] * 3

    @pytest.mark.parametrize("name", sorted(RATES))
    def test_echoes_are_no_emails_of_a_rate(self, name: str) -> None:
        """They were not attempted. Otherwise emails to listed addresses would hide a bad list."""
        sends, below, *_ = RATES[name]
        assert rate_state(name, sends, below, echoes=sends / 2) == ALARM

    def test_throttles_of_any_function_count_in_two_of_three_periods(self) -> None:
        alarm = alarms()["FunctionsThrottled"]
        for metric in watched_metrics(alarm):
            assert evaluate_alarm(alarm, {metric.key: [1, None, 1]}) == ALARM
            assert evaluate_alarm(alarm, {metric.key: [0, 0, 1]}) == OK
        assert evaluate_alarm(alarm, {}, ALARM) == OK

    @pytest.mark.parametrize(
        ("sends", "batches", "expected"),
        [
            (199, None, OK),  # Low volume stays silent by design.
            (200, None, ALARM),
            (5_000, None, ALARM),
            (5_000, 1, OK),
            (None, None, OK),
            (None, 1, OK),
        ],
    )
    def test_silence_of_the_set_needs_enough_emails_and_no_feedback(
        self, sends: float | None, batches: float | None, expected: str
    ) -> None:
        assert evaluate_alarm(alarms()["FeedbackSilent"], {SENDS: [sends], BATCHES: [batches]}) == expected

    @pytest.mark.parametrize("lane", LANES)
    def test_silence_of_the_account_ends_with_a_message_to_any_topic(self, lane: str) -> None:
        alarm = alarms()["AccountSilent"]
        published = MetricKey("AWS/SNS", "NumberOfMessagesPublished", (("TopicName", f"${{{lane}Topic.TopicName}}"),))
        assert evaluate_alarm(alarm, {ACCOUNT_SENDS: [199]}) == OK
        assert evaluate_alarm(alarm, {ACCOUNT_SENDS: [200]}) == ALARM
        assert evaluate_alarm(alarm, {ACCOUNT_SENDS: [200], published: [1]}) == OK

    @pytest.mark.parametrize(
        ("parameters", "sends", "seconds"),
        [
            ({}, 200, 6 * 3_600),
            ({"DeliveriesBy": "None"}, 2_000, 6 * 3_600),
            ({"DeliveriesBy": "Firehose", "SilenceHours": "24"}, 200, DAY_S),
            ({"SilenceSends": "50", "SilenceHours": "1"}, 50, 3_600),
        ],
    )
    def test_the_floor_and_the_hours_are_parameters(
        self, parameters: dict[str, str], sends: float, seconds: int
    ) -> None:
        alarm = stack(**parameters).properties("FeedbackSilent")
        assert {metric.period for metric in watched_metrics(alarm)} == {seconds}
        assert evaluate_alarm(alarm, {SENDS: [sends]}) == ALARM
        assert evaluate_alarm(alarm, {SENDS: [sends - 1]}) == OK


class TestRules:
    """What CloudWatch accepts, and what is published."""

    def test_every_alarm_is_evaluated_here(self) -> None:
        elsewhere = {"AccountUnknown", "FunctionsThrottled", "FeedbackSilent", "AccountSilent"}
        assert {*SINGLE, *RATES, *elsewhere} == set(alarms())

    @pytest.mark.parametrize("name", sorted(alarms()))
    def test_it_watches_metrics_that_are_published_with_these_dimensions(self, name: str) -> None:
        watched = [metric.key for metric in watched_metrics(alarms()[name])]
        unknown = [key for key in watched if not is_published(key.namespace, key.name, frozenset(dict(key.dimensions)))]
        assert unknown == []

    @pytest.mark.parametrize("name", sorted(alarms()))
    def test_cloudwatch_accepts_its_window_and_its_number_of_metrics(self, name: str) -> None:
        """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html."""
        alarm = alarms()[name]
        watched = watched_metrics(alarm)
        (period,) = {metric.period for metric in watched}
        assert len(watched) <= MAX_METRICS
        assert period % 60 == 0
        assert period * int(alarm["EvaluationPeriods"]) <= (WEEK_S if period >= 3_600 else DAY_S)

    @pytest.mark.parametrize("name", sorted(alarms()))
    def test_a_reading_that_does_not_exist_is_never_an_alarm_except_an_unknown_account(self, name: str) -> None:
        """An alarm on a metric that is not published yet must not be raised by a new stack."""
        assert evaluate_alarm(alarms()[name], {}, OK) == (ALARM if name == "AccountUnknown" else OK)
