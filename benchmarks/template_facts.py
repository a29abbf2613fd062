"""What template.yaml deploys, as far as it makes a difference to the bill."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
PLATFORM_LOG = {"DEBUG": 1200, "INFO": 900, "WARN": 0}
"""Bytes that Lambda itself logs of an invocation, as JSON, at each level."""


@dataclass(frozen=True, slots=True)
class Function:
    """What the template says of a function: megabytes, the batch it is given, and bytes that Lambda logs of it."""

    memory: int
    batch: int
    window: float
    platform_log: int


@dataclass(frozen=True, slots=True)
class Stream:
    """For how many seconds, and up to how many bytes, Firehose gathers what it writes into one object."""

    seconds: float
    size: int


@dataclass(frozen=True, slots=True)
class Deployed:
    """The functions by lane, the list_sync's as `Suppression`; how many alarms; the stream, if deliveries come by it."""

    functions: Mapping[str, Function]
    alarms: int
    stream: Stream | None


def deployed(*, by_firehose: bool = False) -> Deployed:
    """Return what the template deploys with its parameters at their defaults, deliveries by Firehose or not."""
    template = _decided(yaml_parse(TEMPLATE.read_text()), by_firehose=by_firehose)
    common, functions, alarms = template["Globals"]["Function"], {}, 0
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            own = {**common, **resource["Properties"]}
            source = next(event["Properties"] for event in own["Events"].values() if "BatchSize" in event["Properties"])
            window = source.get("MaximumBatchingWindowInSeconds", 0)
            log = PLATFORM_LOG[common["LoggingConfig"]["SystemLogLevel"]]
            functions[name.removesuffix("Function")] = Function(own["MemorySize"], source["BatchSize"], window, log)
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            alarms += by_firehose or resource["Condition"] != "FirehoseMonitored"
    written = template["Resources"]["DeliveryStream"]["Properties"]["ExtendedS3DestinationConfiguration"]
    hints = written["BufferingHints"]
    stream = Stream(hints["IntervalInSeconds"], hints["SizeInMBs"] * 1024**2)
    return Deployed(functions, alarms, stream if by_firehose else None)


def _decided(node: Any, *, by_firehose: bool) -> Any:  # noqa: ANN401 (CloudFormation's JSON)
    """Return a part of the template with the one condition decided that the bill hangs on."""
    match node:
        case {"Fn::If": ["ByFirehose", yes, no]}:
            return _decided(yes if by_firehose else no, by_firehose=by_firehose)
        case dict():
            return {name: _decided(value, by_firehose=by_firehose) for name, value in node.items()}
        case list():
            return [_decided(value, by_firehose=by_firehose) for value in node]
    return node
