"""Patches of CloudWatch: what ministack lacks is accepted and stored, so that the template can be deployed.

`alarm_states` evaluates the alarms. Saved queries are not run.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from localaws.server.monkey_patch import Patch

_QUERY_DEFINITION = "AWS::Logs::QueryDefinition"


def cloudwatch_patches() -> Iterator[Patch]:
    """Yield the patches."""
    provisioners = import_module("ministack.services.cloudformation.provisioners")
    yield Patch(provisioners, "_cw_metric_alarm_record", _with_metric_math)
    yield Patch(provisioners, "_RESOURCE_HANDLERS", _with_query_definitions)


def _with_metric_math(record: Callable[[str, Mapping[str, Any]], dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Store an alarm on metric math."""

    def replacement(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        metrics = properties.get("Metrics")
        if not metrics:
            return record(name, properties)
        rest = {key: value for key, value in properties.items() if key != "Metrics"}
        alarm = record(name, {**rest, "MetricName": "math", "Namespace": "math"})
        return {**alarm, "MetricName": "", "Namespace": "", "Metrics": metrics}

    return replacement


def _with_query_definitions(handlers: dict[str, Any]) -> dict[str, Any]:
    """Accept `AWS::Logs::QueryDefinition`, in place, because other modules import the table of handlers.

    CloudFormation keeps the properties.
    """
    handlers[_QUERY_DEFINITION] = {
        "create": lambda logical_id, properties, stack: (f"{stack}-{logical_id}", {}),  # noqa: ARG005
        "update": lambda physical_id, *_: (physical_id, {}),
        "delete": lambda *_: None,
    }
    return handlers
