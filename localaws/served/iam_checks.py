"""What IAM asks in AWS and not in ministack: for functions' logs, polls and schedules, PartiQL statements, and keys.

Each function replaces one of ministack's (`gaps.fill`).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from localaws.served.kms_keys import needed
from localaws.served.ministack_internals import Emulator

Gap = tuple[Any, str, Callable[[Any], Any]]
"""A module, the name of a function in it, and what makes another of it."""

POLLED = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "dynamodb": (
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    ),
}
"""What Lambda does in a function's name to poll an event source."""
_PARTIQL = {"dynamodb:BatchExecuteStatement", "dynamodb:ExecuteStatement"}
_IMPORT_JOBS = {"import-jobs": ("import-job", "")}
_STATEMENT = re.compile(r'\s*(?P<verb>INSERT|UPDATE|DELETE|SELECT)\b[^"]*"(?P<table>[^"]+)"', re.IGNORECASE)


def gaps(emulator: Emulator) -> Iterator[Gap]:
    """Yield what is to be replaced, and by what."""
    lambdas = emulator.service("lambda_svc")
    stacks = import_module("ministack.services.cloudformation.stacks")
    yield import_module("ministack.core.iam_evaluator"), "enforce", lambda enforce: _remembered(emulator, enforce)
    yield import_module("ministack.core.iam_actions"), "dynamodb_transaction_checks", statement_checks
    yield import_module("ministack.core.iam_actions"), "_SES_V2_RESOURCES", lambda known: {**known, **_IMPORT_JOBS}
    yield lambdas, "_emit_lambda_logs", lambda emit: _logged_if_allowed(emulator, emit)
    yield lambdas, "_iter_all_esms", lambda mappings: _polled_if_allowed(emulator, lambdas, mappings)
    yield emulator.service("eventbridge"), "_invoke_target", lambda invoke: _invoked_if_allowed(emulator, invoke)
    yield stacks, "_provision_resource", lambda make: _noted(emulator, make, properties=2)
    yield stacks, "_update_resource", lambda update: _noted(emulator, update, properties=3)
    for service, name in (("sns", "topic_policy_allows"), ("sqs", "queue_policy_allows")):
        yield emulator.service(service), name, lambda allows: _encrypted_if_allowed(emulator, allows)


def _remembered(emulator: Emulator, enforce: Callable[..., Any]) -> Callable[..., Any]:
    """Ask for the key of what is encrypted, too, and remember what functions ask for: it is least privilege."""

    def remembered(access_key_id: str, action: str, service: str, region: str, **how: Any) -> Any:  # noqa: ANN401
        denied = enforce(access_key_id, action, service, region, **how)
        emulator.remember(access_key_id, action, how.get("resource_arn", "*"), allowed=denied is None)
        return denied

    def replaced(access_key_id: str, action: str, service: str, region: str, *rest: Any, **how: Any) -> Any:  # noqa: ANN401
        named = dict(zip(("resource_arn", "service_context"), rest, strict=False)) | how
        denied = remembered(access_key_id, action, service, region, **named)
        key = emulator.keys.of(named.get("resource_arn", "*"))
        for use in needed(action) if key else ():
            denied = denied or remembered(access_key_id, use, "kms", region, resource_arn=key)
        return denied

    return replaced


def statement_checks(checks: Callable[..., Any]) -> Callable[..., Any]:
    """Have each PartiQL statement allowed as what it does: no IAM action is called BatchExecuteStatement."""

    def replaced(action: str, body: bytes, region: str, account: str) -> Any:  # noqa: ANN401
        if action not in _PARTIQL:
            return checks(action, body, region, account)
        document = json.loads(body)
        texts = [one["Statement"] for one in document.get("Statements", [document])]
        tables = f"arn:aws:dynamodb:{region}:{account}:table"
        return sorted({(verb, f"{tables}/{table}") for verb, table in map(_read, texts)})

    return replaced


def _read(statement: str) -> tuple[str, str]:
    """Return the IAM action of a PartiQL statement, and its table."""
    found = _STATEMENT.match(statement)
    if found is None:
        return "dynamodb:PartiQLSelect", "*"
    return f"dynamodb:PartiQL{found['verb'].capitalize()}", found["table"]


def _noted(emulator: Emulator, provision: Callable[..., Any], *, properties: int) -> Callable[..., Any]:
    """Note the key of what CloudFormation makes or updates; ministack forgets it of topics and tables."""

    def replaced(*args: Any) -> Any:  # noqa: ANN401
        physical_id, attributes = provision(*args)
        emulator.keys.note(attributes or {}, args[properties])
        return physical_id, attributes

    return replaced


def _encrypted_if_allowed(emulator: Emulator, allows: Callable[..., bool]) -> Callable[..., bool]:
    """Let a service deliver to an encrypted topic or queue only if the key's policy admits it."""

    def replaced(arn: str, service: str, source_arn: str, source_account: str) -> bool:
        context = {"aws:sourcearn": source_arn, "aws:sourceaccount": source_account}
        action = "sns:Publish" if ":sns:" in arn else "sqs:SendMessage"
        admitted = all(emulator.key_admits(service, use, arn, context) for use in needed(action))
        return admitted and allows(arn, service, source_arn, source_account)

    return replaced


def _logged_if_allowed(emulator: Emulator, emit: Callable[..., None]) -> Callable[..., None]:
    """Write a function's log only if its role may, and CloudWatch Logs may use the log group's key."""

    def replaced(func: Mapping[str, Any], *rest: Any, **how: Any) -> None:  # noqa: ANN401
        config = func.get("config") or func
        name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        scope = emulator.scope()
        group = f"arn:aws:logs:{scope.region}:{scope.account}:log-group:{name}"
        allowed = [
            emulator.may(config["Role"], action, f"{group}:log-stream:any", scope.region)
            for action in ("logs:CreateLogStream", "logs:PutLogEvents")
        ]
        service, context = f"logs.{scope.region}.amazonaws.com", {"kms:encryptioncontext:aws:logs:arn": group}
        if all(allowed) and emulator.key_admits(service, "kms:Encrypt", f"{group}:*", context):
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
            actions = POLLED.get(source.split(":")[2], ())
            if not role or all(emulator.may(role, action, source, region) for action in actions):
                yield account, region, mapping

    return replaced


def _invoked_if_allowed(emulator: Emulator, invoke: Callable[..., Any]) -> Callable[..., Any]:
    """Let the scheduler invoke a function only if its role may."""

    def replaced(target: Mapping[str, Any], *rest: Any, **how: Any) -> Any:  # noqa: ANN401
        arn, role = target.get("Arn", ""), target.get("RoleArn", "")
        if role and ":lambda:" in arn and not emulator.may(role, "lambda:InvokeFunction", arn, arn.split(":")[3]):
            return None
        return invoke(target, *rest, **how)

    return replaced
