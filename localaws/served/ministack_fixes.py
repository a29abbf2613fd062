"""What ministack does differently from AWS and matters here, put right in place.

Each function replaces one of ministack's. When an update renames one, `fill` fails at once and says which.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from localaws.served import iam_checks
from localaws.served.embedded_metrics import metrics_in
from localaws.served.ministack_internals import Emulator


class GapError(Exception):
    """ministack has changed. The message says what is missing."""


def fill(emulator: Emulator, on_destination: Callable[[str, str], None]) -> None:
    """Put everything right; `on_destination` hears of each event destination put, by set and topic."""
    lambdas, dynamodb = emulator.service("lambda_svc"), emulator.service("dynamodb")
    ours: tuple[iam_checks.Gap, ...] = (
        (emulator.service("ses"), "_send_notifications", lambda _: lambda *_: None),
        (emulator.service("ses_v2"), "_put_event_destination", lambda put: _announced(put, on_destination)),
        (
            emulator.service("cloudwatch_logs"),
            "_fanout_to_subscription_filters",
            lambda fan_out: _with_metrics(emulator, fan_out),
        ),
        *((dynamodb, name, partial(_streamed, dynamodb)) for name in ("_partiql_insert", "_partiql_update")),
        (lambdas, "_execute_function", _repeated_if_partly_failed),
        (lambdas, "_poll_dynamodb_streams", _Aside),
    )
    for gap in (*ours, *iam_checks.gaps(emulator)):
        _replace(*gap)


def _replace(module: Any, name: str, replacement: Callable[[Any], Any]) -> None:  # noqa: ANN401
    original = getattr(module, name, None)
    if original is None:
        raise GapError(f"This ministack has no {module.__name__}.{name}: pin the version in requirements/local.in")
    setattr(module, name, replacement(original))


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


def _streamed(dynamodb: Any, write: Callable[..., Any]) -> Callable[..., Any]:  # noqa: ANN401
    """Put what a statement in PartiQL writes into the table's stream."""

    def replaced(table: Any, parsed: Mapping[str, Any], *rest: Any) -> Any:  # noqa: ANN401
        given = parsed.get("item") or {}
        given = given["M"] if set(given) == {"M"} else given
        wanted = parsed.get("conditions") or [(name, "=", value) for name, value in given.items()]
        before = _item(dynamodb, table, wanted)
        answer = write(table, parsed, *rest)
        after = _item(dynamodb, table, wanted)
        if after is not None and after is not before:
            dynamodb._emit_stream_event(table["TableName"], "MODIFY" if before else "INSERT", before, after)  # noqa: SLF001
        return answer

    return replaced


def _item(dynamodb: Any, table: Any, wanted: Iterable[tuple[str, str, Any]]) -> Any:  # noqa: ANN401
    """Return the item that a statement is about, if there is one."""
    equal = {name: dynamodb._extract_key_val(value) for name, sign, value in wanted if sign == "="}  # noqa: SLF001
    return table["items"].get(equal.get(table["pk_name"]), {}).get(equal.get(table["sk_name"]))


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


class _Aside:
    """Polls streams beside the queues: ministack does it in one thread, where a slow list_sync would hold up the lanes."""

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
