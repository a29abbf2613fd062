"""Services that are away for days: everything converges afterwards, by itself; redriving changes nothing."""

import json

import pytest

from campaigns.simulation import lanes, stream_workers
from campaigns.simulation.outages import OUTAGES, TOO_LONG, suffer
from campaigns.simulation.scheduler import SECOND
from tests.support.sam_template import template

_CASES = 6
"""Of each outage; `python -m campaigns.simulation --outages 40` plays more."""
_LONG = 2
"""Of those that take thousands of sweeps."""


@pytest.mark.parametrize("name", OUTAGES)
def test_an_outage_is_only_a_delay(name: str) -> None:
    """Whatever is away for long, no promise is broken, nobody has to do anything, and redriving changes no byte."""
    outcome = suffer(name, range(_LONG if "days" in name else _CASES))
    assert (outcome.violations, outcome.changed, outcome.dead) == (0, 0, 0)
    assert outcome.late < 4 * 3_600  # an import that nobody answered for holds its contacts for three hours


@pytest.mark.parametrize("name", TOO_LONG)
def test_after_too_long_an_outage_redriving_mends_everything(name: str) -> None:
    """What ended on the dead-letter queue is redriven once, and nothing is missing; once more changes no byte."""
    outcome = suffer(name, range(_LONG))
    assert outcome.dead > 0
    assert outcome.receives == lanes.RECEIVES
    assert (outcome.violations, outcome.changed) == (0, 0)


@pytest.mark.parametrize("kind", ["Bounce", "Complaint", "Delivery"])
def test_the_lanes_are_as_the_template_has_them(kind: str) -> None:
    """How long a message is hidden, how often it is handed out, and how long the function may take."""
    resources = template()["Resources"]
    queue, function = (resources[f"{kind}{what}"]["Properties"] for what in ("Queue", "Function"))
    assert queue["VisibilityTimeout"] * SECOND == lanes.VISIBILITY
    assert queue["RedrivePolicy"]["maxReceiveCount"] == lanes.RECEIVES
    assert function.get("Timeout", template()["Globals"]["Function"]["Timeout"]) * SECOND == lanes.TIMEOUT


def test_the_stream_and_the_sweep_are_as_the_template_has_them() -> None:
    """How old a record may get, how long the function may take, and how often it sweeps."""
    function = template()["Resources"]["SuppressionFunction"]["Properties"]
    events = {event["Type"]: event["Properties"] for event in function["Events"].values()}
    assert events["DynamoDB"]["MaximumRecordAgeInSeconds"] * SECOND == stream_workers.TOO_OLD
    (filter_,) = events["DynamoDB"]["FilterCriteria"]["Filters"]
    assert json.loads(filter_["Pattern"]) == {"dynamodb": {"NewImage": {"pending_shard": {"S": [{"exists": True}]}}}}
    assert function["Timeout"] * SECOND == stream_workers.TIMEOUT
    assert events["ScheduleV2"]["ScheduleExpression"] == f"rate({stream_workers.EVERY // SECOND // 60} minutes)"
