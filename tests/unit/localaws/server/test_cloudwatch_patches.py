"""What ministack lacks of CloudWatch is accepted and stored."""

from collections.abc import Mapping
from typing import Any

from localaws.server.cloudwatch_patches import _with_metric_math, _with_query_definitions

MATH = [{"Id": "sum", "Expression": "a + b"}]


def record(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alarm as ministack does, which refuses metric math."""
    if properties.get("Metrics") or not properties.get("MetricName"):
        raise ValueError(name)
    return {"AlarmName": name, "MetricName": properties["MetricName"], "Namespace": properties["Namespace"]}


def test_an_alarm_on_metric_math_is_stored_without_a_metric_of_its_own() -> None:
    stored = _with_metric_math(record)("throttled", {"Metrics": MATH, "Threshold": 0})
    assert stored == {"AlarmName": "throttled", "MetricName": "", "Namespace": "", "Metrics": MATH}


def test_an_alarm_on_one_metric_is_left_to_ministack() -> None:
    properties = {"MetricName": "Errors", "Namespace": "AWS/Lambda"}
    assert _with_metric_math(record)("fails", properties) == record("fails", properties)


def test_a_saved_query_is_created_updated_and_deleted_in_the_table_that_other_modules_import() -> None:
    handlers: dict[str, Any] = {"AWS::SQS::Queue": {}}
    assert _with_query_definitions(handlers) is handlers
    query = handlers["AWS::Logs::QueryDefinition"]
    physical, attributes = query["create"]("SlowBatches", {}, "mail")
    assert (physical, attributes) == ("mail-SlowBatches", {})
    assert query["update"](physical, {}, {}, "mail") == (physical, {})
    assert query["delete"](physical, {}) is None
