"""What ministack does differently from AWS and matters here, put right in place.

Each function replaces one of ministack's. When an update renames one, `fill` fails at once and says which.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from feedbackctl.local.emf import metrics_in
from feedbackctl.local.emulator import Emulator

_POLLED = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "dynamodb": (
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    ),
}


class GapError(Exception):
    """ministack has changed. The message says what is missing."""


def fill(emulator: Emulator, on_destination: Callable[[str, str], None]) -> None:
    """Put everything right; `on_destination` hears of each event destination put, by set and topic."""
    lambdas = emulator.service("lambda_svc")
    evaluator = import_module("ministack.core.iam_evaluator")
    _replace(evaluator, "enforce", lambda enforce: _remembered(emulator, enforce))
    _replace(emulator.service("ses"), "_send_notifications", lambda _: lambda *_: None)
    _replace(emulator.service("ses_v2"), "_put_event_destination", lambda put: _announced(put, on_destination))
    _replace(
        emulator.service("cloudwatch_logs"), "_fanout_to_subscription_filters", lambda out: _with_metrics(emulator, out)
    )
    _replace(lambdas, "_emit_lambda_logs", lambda emit: _logged_if_allowed(emulator, emit))
    _replace(lambdas, "_iter_all_esms", lambda mappings: _polled_if_allowed(emulator, lambdas, mappings))
    _replace(lambdas, "_execute_function", _repeated_if_partly_failed)
    _replace(lambdas, "_poll_dynamodb_streams", _Aside)
    _replace(emulator.service("eventbridge"), "_invoke_target", lambda invoke: _invoked_if_allowed(emulator, invoke))


def _replace(module: Any, name: str, replacement: Callable[[Any], Any]) -> None:  # noqa: ANN401
    original = getattr(module, name, None)
    if original is None:
        raise GapError(f"This ministack has no {module.__name__}.{name}: pin the version in requirements/local.in")
    setattr(module, name, replacement(original))


def _remembered(emulator: Emulator, enforce: Callable[..., Any]) -> Callable[..., Any]:
    """Remember what functions ask for: least privilege is what they ask for and no more."""

    def replaced(access_key_id: str, iam_action: str, service: str, region: str, *rest: Any, **how: Any) -> Any:  # noqa: ANN401
        denied = enforce(access_key_id, iam_action, service, region, *rest, **how)
        resource = how.get("resource_arn") or (rest[0] if rest else "*")
        emulator.remember(access_key_id, iam_action, resource, allowed=denied is None)
        return denied

    return replaced


def _announced(put: Callable[..., Any], on_destination: Callable[[str, str], None]) -> Callable[..., Any]:
    """Let SES publish its notice to a topic that becomes an event destination."""

    def replaced(name: str, dest_name: str, definition: Any, **how: Any) -> Any:  # noqa: ANN401
        error = put(name, dest_name, definition, **how)
        topic = ((definition or {}).get("SnsDestination") or {}).get("TopicArn")
        if error is None and topic:
            on_destination(name, topic)
        return error

    return replaced


def _with_metrics(emulator: Emulator, fan_out: Callable[..., None]) -> Callable[..., None]:
    """Make metrics of the log lines that are in the embedded metric format."""

    def replaced(group: str, stream: str, events: Iterable[Mapping[str, Any]]) -> None:
        events = list(events)
        for event in events:
            for datum in metrics_in(event["message"]):
                emulator.record(datum)
        fan_out(group, stream, events)

    return replaced


def _logged_if_allowed(emulator: Emulator, emit: Callable[..., None]) -> Callable[..., None]:
    """Write a function's log only if its role may."""

    def replaced(func: Mapping[str, Any], *rest: Any, **how: Any) -> None:  # noqa: ANN401
        config = func.get("config") or func
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        scope = emulator.scope()
        stream = f"arn:aws:logs:{scope.region}:{scope.account}:log-group:{group}:log-stream:any"
        if all(
            emulator.may(config["Role"], action, stream, scope.region)
            for action in ("logs:CreateLogStream", "logs:PutLogEvents")
        ):
            emit(func, *rest, **how)

    return replaced


def _polled_if_allowed(
    emulator: Emulator,
    lambdas: Any,  # noqa: ANN401
    mappings: Callable[[], Iterable[tuple[str, str, Any]]],
) -> Callable[[], Iterator[tuple[str, str, Any]]]:
    """Poll an event source only if the function's role may."""

    def replaced() -> Iterator[tuple[str, str, Any]]:
        for account, region, mapping in mappings():
            source = mapping.get("EventSourceArn", "")
            function = lambdas._functions.get_scoped(account, region, mapping["FunctionName"])  # noqa: SLF001
            role = ((function or {}).get("config") or {}).get("Role", "")
            actions = _POLLED.get(source.split(":")[2], ())
            if not role or all(emulator.may(role, action, source, region) for action in actions):
                yield account, region, mapping

    return replaced


def _repeated_if_partly_failed(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Hand a batch of a stream out again when the function reports failed records in it.

    Lambda goes on from the first failed record; here it is the whole batch.
    """

    def replaced(func: Any, event: Any, *rest: Any, **how: Any) -> Any:  # noqa: ANN401
        result = execute(func, event, *rest, **how)
        body = result.get("body")
        if _is_from_stream(event) and isinstance(body, dict) and body.get("batchItemFailures"):
            return {**result, "error": True, "body": {"errorType": "batchItemFailures", "errorMessage": "come again"}}
        return result

    return replaced


def _is_from_stream(event: Any) -> bool:  # noqa: ANN401
    match event:
        case {"Records": [{"eventSource": "aws:dynamodb"}, *_]}:
            return True
    return False


def _invoked_if_allowed(emulator: Emulator, invoke: Callable[..., Any]) -> Callable[..., Any]:
    """Let the scheduler invoke a function only if its role may."""

    def replaced(target: Mapping[str, Any], *rest: Any, **how: Any) -> Any:  # noqa: ANN401
        arn, role = target.get("Arn", ""), target.get("RoleArn", "")
        if role and ":lambda:" in arn and not emulator.may(role, "lambda:InvokeFunction", arn, arn.split(":")[3]):
            return None
        return invoke(target, *rest, **how)

    return replaced


class _Aside:
    """Polls streams beside the queues: ministack does it in one thread, where a slow mirror would hold up the lanes."""

    def __init__(self, poll: Callable[[], bool]) -> None:
        self._poll = poll
        self._thread: threading.Thread | None = None

    def __call__(self) -> bool:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="feedbackctl-streams", daemon=True)
            self._thread.start()
        return False

    def _run(self) -> None:
        while True:
            try:
                busy = self._poll()
            except Exception:  # noqa: BLE001 (as ministack's own loop: the next pass may do better)
                busy = False
            if not busy:
                time.sleep(0.2)
