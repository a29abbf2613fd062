"""Outages that last for days. Everything converges afterwards without an operator; a redrive changes nothing."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from campaigns.simulation import lanes, stream_workers
from campaigns.simulation.outages import DEAD_LETTER_OUTAGES, OUTAGES, run_outage
from campaigns.simulation.scheduler import SECOND
from ses_feedback.reading import envelope
from ses_feedback.timestamps import parse_epoch_milliseconds
from tests.support.sam_template import template

_CASES = 4
"""Cases of each outage; `python -m campaigns.simulation --outages 40` runs more."""
_CASES_LONG = 2
"""Cases of each outage that takes thousands of sweeps."""
_SEEDS_WITH_FAST_CLOCK = range(20, 30)
"""Seeds of cases of which some have feedback that is dated after its carrier."""
_MAX_DELAY = 4 * 3_600
"""Seconds. An import job without an answer leases its contacts for three hours."""


@pytest.mark.parametrize("name", OUTAGES)
def test_after_outage_everything_converges_and_redrives_change_nothing(name: str) -> None:
    result = run_outage(name, range(_CASES_LONG if "days" in name else _CASES))
    assert (result.violations, result.changed, result.dead) == (0, 0, 0)
    assert result.delay < _MAX_DELAY


@pytest.mark.parametrize("name", DEAD_LETTER_OUTAGES)
def test_after_redrive_of_dead_letters_everything_converges(name: str) -> None:
    result = run_outage(name, range(_CASES_LONG))
    assert result.dead > 0
    assert result.receives == lanes.MAX_RECEIVES
    assert (result.violations, result.changed) == (0, 0)


def _time_of_latest_send(entry: Mapping[str, Any]) -> datetime | None:
    return parse_epoch_milliseconds(entry["attributes"]["SentTimestamp"])


def test_planted_bug_that_dates_redriven_message_by_its_redrive_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "_sqs_time", _time_of_latest_send)
    results = (run_outage("EventBridge is down for 24 hours", [seed]) for seed in _SEEDS_WITH_FAST_CLOCK)
    assert any(result.changed or result.violations for result in results)


@pytest.mark.parametrize("kind", ["Bounce", "Complaint", "Delivery"])
def test_lanes_have_the_timeouts_and_receives_of_the_template(kind: str) -> None:
    resources = template()["Resources"]
    queue, function = (resources[f"{kind}{suffix}"]["Properties"] for suffix in ("Queue", "Function"))
    assert queue["VisibilityTimeout"] * SECOND == lanes.VISIBILITY
    assert queue["RedrivePolicy"]["maxReceiveCount"] == lanes.MAX_RECEIVES
    assert function.get("Timeout", template()["Globals"]["Function"]["Timeout"]) * SECOND == lanes.TIMEOUT


def test_stream_and_sweeps_have_the_age_filter_and_interval_of_the_template() -> None:
    function = template()["Resources"]["SuppressionFunction"]["Properties"]
    events = {event["Type"]: event["Properties"] for event in function["Events"].values()}
    assert events["DynamoDB"]["MaximumRecordAgeInSeconds"] * SECOND == stream_workers.TOO_OLD
    (filter_,) = events["DynamoDB"]["FilterCriteria"]["Filters"]
    assert json.loads(filter_["Pattern"]) == {"dynamodb": {"NewImage": {"pending_shard": {"S": [{"exists": True}]}}}}
    assert function["Timeout"] * SECOND == stream_workers.TIMEOUT
    assert events["ScheduleV2"]["ScheduleExpression"] == f"rate({stream_workers.EVERY // SECOND // 60} minutes)"
