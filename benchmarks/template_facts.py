"""The settings of template.yaml that affect the cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
PLATFORM_LOG = {"DEBUG": 1200, "INFO": 900, "WARN": 0}
"""Bytes that Lambda logs for an invocation, as JSON, at each system log level."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function: megabytes of memory, batch size, batching window in seconds, and bytes that Lambda logs for it."""

    memory: int
    batch: int
    window: float
    platform_log: int


@dataclass(frozen=True, slots=True)
class Stream:
    """The Firehose stream: it collects records for `seconds` or up to `size` bytes in one object."""

    seconds: float
    size: int


@dataclass(frozen=True, slots=True)
class Deployed:
    """The functions by lane (`Suppression` is the list sync), the alarms, the stream or None, and if there is a key.

    `alarms` has the number of metrics that each alarm watches: CloudWatch bills these.
    """

    functions: Mapping[str, Function]
    alarms: Mapping[str, int]
    stream: Stream | None
    key: bool


def read_template(*, by_firehose: bool = False) -> Deployed:
    """Return the settings with all parameters at their defaults, except DeliveriesBy if `by_firehose`."""
    template = _evaluate_conditions(yaml_parse(TEMPLATE.read_text()), by_firehose=by_firehose)
    common, functions, alarms = template["Globals"]["Function"], {}, {}
    conditions = {"Monitored"} | ({"FirehoseMonitored"} if by_firehose else set())
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = {**common, **resource["Properties"]}
            source = next(
                event["Properties"] for event in properties["Events"].values() if "BatchSize" in event["Properties"]
            )
            window = source.get("MaximumBatchingWindowInSeconds", 0)
            log = PLATFORM_LOG[common["LoggingConfig"]["SystemLogLevel"]]
            functions[name.removesuffix("Function")] = Function(
                properties["MemorySize"], source["BatchSize"], window, log
            )
        if resource["Type"] == "AWS::CloudWatch::Alarm" and resource["Condition"] in conditions:
            queries = resource["Properties"].get("Metrics", [{"MetricStat": {}}])
            alarms[name] = sum("MetricStat" in query for query in queries)
    destination = template["Resources"]["DeliveryStream"]["Properties"]["ExtendedS3DestinationConfiguration"]
    hints = destination["BufferingHints"]
    stream = Stream(hints["IntervalInSeconds"], hints["SizeInMBs"] * 1024**2)
    key = template["Parameters"]["CustomerManagedKey"]["Default"] == "true"
    return Deployed(functions, alarms, stream if by_firehose else None, key)


def _evaluate_conditions(node: Any, *, by_firehose: bool) -> Any:  # noqa: ANN401 (CloudFormation's JSON)
    """Return a part of the template with the condition ByFirehose evaluated, the only one that affects the cost."""
    match node:
        case {"Fn::If": ["ByFirehose", then, otherwise]}:
            return _evaluate_conditions(then if by_firehose else otherwise, by_firehose=by_firehose)
        case dict():
            return {name: _evaluate_conditions(value, by_firehose=by_firehose) for name, value in node.items()}
        case list():
            return [_evaluate_conditions(value, by_firehose=by_firehose) for value in node]
    return node
