"""Patches for the differences between ministack and AWS that matter here. `iam_enforcement` has those about IAM."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from localaws.embedded_metrics import parse_metrics
from localaws.server.ministack_internals import Emulator
from localaws.server.monkey_patch import Patch


def behavior_patches(emulator: Emulator, on_destination: Callable[[str, str], None]) -> Iterator[Patch]:
    """Yield the patches. `on_destination` is called with the set and the topic of each new event destination."""
    lambdas, dynamodb = emulator.service("lambda_svc"), emulator.service("dynamodb")
    logs = emulator.service("cloudwatch_logs")
    # `ses_service` publishes feedback instead of ministack.
    yield Patch(emulator.service("ses"), "_send_notifications", lambda _: lambda *_: None)
    yield Patch(emulator.service("ses_v2"), "_put_event_destination", lambda put: _with_notice(put, on_destination))
    yield Patch(logs, "_fanout_to_subscription_filters", lambda fan_out: _with_metrics(emulator, fan_out))
    stacks = import_module("ministack.services.cloudformation.stacks")
    yield Patch(stacks, "_provision_resource", lambda create: _with_table_settings(dynamodb, create))
    for name in ("_partiql_insert", "_partiql_update"):
        yield Patch(dynamodb, name, partial(_with_stream_record, dynamodb))
    yield Patch(
        lambdas,
        "_execute_function",
        partial(_with_retry_of_stream_batch, emulator, lambdas._emit_lambda_metrics),  # noqa: SLF001
    )
    yield Patch(lambdas, "_poll_dynamodb_streams", _StreamPoller)
    # A second instead of ten, so that "run every schedule now" means now.
    yield Patch(emulator.service("scheduler"), "_SCHEDULE_TICK_INTERVAL", lambda _: 1)


def _with_notice(put: Callable[..., Any], on_destination: Callable[[str, str], None]) -> Callable[..., Any]:
    """Report a topic that becomes an event destination."""

    def replacement(name: str, dest_name: str, definition: Any, **options: Any) -> Any:  # noqa: ANN401
        error = put(name, dest_name, definition, **options)
        topic = ((definition or {}).get("SnsDestination") or {}).get("TopicArn")
        if error is None and topic:
            on_destination(name, topic)
        return error

    return replacement


def _with_metrics(emulator: Emulator, fan_out: Callable[..., None]) -> Callable[..., None]:
    """Create the metrics of log lines in the embedded metric format."""

    def replacement(group: str, stream: str, events: Iterable[Mapping[str, Any]]) -> None:
        events = list(events)
        for event in events:
            for metric in parse_metrics(event["message"]):
                emulator.record_metric(metric)
        fan_out(group, stream, events)

    return replacement


def _with_table_settings(dynamodb: Any, provision: Callable[..., Any]) -> Callable[..., Any]:  # noqa: ANN401
    """Apply the settings of a table that CloudFormation has and ministack's provisioner ignores."""

    def replacement(resource_type: str, logical_id: str, properties: Mapping[str, Any], stack: str) -> Any:  # noqa: ANN401
        physical_id, attributes = provision(resource_type, logical_id, properties, stack)
        if resource_type == "AWS::DynamoDB::Table":
            name = {"TableName": physical_id}
            for index in dynamodb._tables[physical_id].get("GlobalSecondaryIndexes", []):  # noqa: SLF001
                index.setdefault("IndexStatus", "ACTIVE")
            if ttl := properties.get("TimeToLiveSpecification"):
                dynamodb._update_ttl({**name, "TimeToLiveSpecification": ttl})  # noqa: SLF001
            if recovery := properties.get("PointInTimeRecoverySpecification"):
                dynamodb._update_continuous_backups({**name, "PointInTimeRecoverySpecification": recovery})  # noqa: SLF001
        return physical_id, attributes

    return replacement


def _with_stream_record(dynamodb: Any, write: Callable[..., Any]) -> Callable[..., Any]:  # noqa: ANN401
    """Add what a PartiQL statement writes to the table's stream."""

    def replacement(table: Any, parsed: Mapping[str, Any], *rest: Any) -> Any:  # noqa: ANN401
        item = parsed.get("item") or {}
        item = item["M"] if set(item) == {"M"} else item
        conditions = parsed.get("conditions") or [(name, "=", value) for name, value in item.items()]
        before = _find_item(dynamodb, table, conditions)
        result = write(table, parsed, *rest)
        after = _find_item(dynamodb, table, conditions)
        if after is not None and after is not before:
            dynamodb._emit_stream_event(table["TableName"], "MODIFY" if before else "INSERT", before, after)  # noqa: SLF001
        return result

    return replacement


def _find_item(dynamodb: Any, table: Any, conditions: Iterable[tuple[str, str, Any]]) -> Any:  # noqa: ANN401
    """Return the item that the conditions of a statement name, or None."""
    key = {name: dynamodb._extract_key_val(value) for name, sign, value in conditions if sign == "="}  # noqa: SLF001
    return table["items"].get(key.get(table["pk_name"]), {}).get(key.get(table["sk_name"]))


def _with_retry_of_stream_batch(
    emulator: Emulator, emit: Callable[..., None], execute: Callable[..., Any]
) -> Callable[..., Any]:
    """Deliver a stream batch again if the function reports failed records, and count invocations by event sources.

    `emit` records the metrics of an invocation; ministack does so for other invocations only.

    Lambda continues with the first failed record; this emulation delivers the whole batch again:
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """

    def replacement(func: Any, event: Any, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        name = (func.get("config") or func)["FunctionName"]
        if _is_from_stream(event):
            age = time.time() - event["Records"][-1]["dynamodb"]["ApproximateCreationDateTime"]
            emulator.record_service_metric("AWS/Lambda", "IteratorAge", max(0, age) * 1000, FunctionName=name)
        result = execute(func, event, *rest, **options)
        # A throttled invocation is neither an invocation nor an error; ministack has counted it:
        # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        if _is_from_event_source(event) and not result.get("throttle"):
            emit(name, duration_ms=0.0, error=bool(result.get("error")), throttle=False)
        body = result.get("body")
        if _is_from_stream(event) and isinstance(body, dict) and body.get("batchItemFailures"):
            return {**result, "error": True, "body": {"errorType": "batchItemFailures", "errorMessage": "retry"}}
        return result

    return replacement


def _is_from_event_source(event: Any) -> bool:  # noqa: ANN401
    match event:
        case {"Records": [{"eventSource": "aws:sqs" | "aws:dynamodb"}, *_]}:
            return True
    return False


def _is_from_stream(event: Any) -> bool:  # noqa: ANN401
    match event:
        case {"Records": [{"eventSource": "aws:dynamodb"}, *_]}:
            return True
    return False


class _StreamPoller:
    """Polls streams in a thread of its own.

    ministack polls queues and streams in one thread, where a slow SuppressionFunction would delay the lanes.
    """

    def __init__(self, poll: Callable[[], bool]) -> None:
        self._poll = poll
        self._thread: threading.Thread | None = None

    def __call__(self) -> bool:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stream-poller", daemon=True)
            self._thread.start()
        return False

    def _run(self) -> None:
        while True:
            try:
                has_more = self._poll()
            except Exception:  # noqa: BLE001 (as in ministack's own loop: the next pass can succeed)
                has_more = False
            if not has_more:
                time.sleep(0.2)
