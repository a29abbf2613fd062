"""Patches for IAM checks that AWS makes and ministack does not.

They cover the logs, polls and schedules of functions, PartiQL statements, and KMS keys.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from localaws.server.kms_keys import name_service, needed_key_actions
from localaws.server.ministack_internals import Emulator
from localaws.server.monkey_patch import Patch

_POLL_ACTIONS = {
    # https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaSQSQueueExecutionRole.html
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    # https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaDynamoDBExecutionRole.html
    "dynamodb": (
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    ),
}
"""The actions that polling an event source needs in the function's role."""
_SQS_BATCHES = {
    f"sqs:{name}Batch": f"sqs:{name}" for name in ("ChangeMessageVisibility", "DeleteMessage", "SendMessage")
}
"""Calls without an IAM action of their own, and the action that they need.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
"""
_PARTIQL = {"dynamodb:BatchExecuteStatement", "dynamodb:ExecuteStatement"}
# ministack's table of SES resources lacks import jobs.
_IMPORT_JOBS = {"import-jobs": ("import-job", "")}
_STATEMENT = re.compile(r'\s*(?P<verb>INSERT|UPDATE|DELETE|SELECT)\b[^"]*"(?P<table>[^"]+)"', re.IGNORECASE)


def iam_patches(emulator: Emulator) -> Iterator[Patch]:
    """Yield the patches."""
    lambdas = emulator.service("lambda_svc")
    actions = import_module("ministack.core.iam_actions")
    stacks = import_module("ministack.services.cloudformation.stacks")
    evaluator = import_module("ministack.core.iam_evaluator")
    yield Patch(evaluator, "enforce", lambda enforce: _with_key_check(emulator, enforce))
    yield Patch(actions, "dynamodb_transaction_checks", with_partiql_actions)
    yield Patch(actions, "dynamodb_service_context", with_batch_projections)
    yield Patch(actions, "request_tag_context", with_event_keys)
    yield Patch(actions, "_SES_V2_RESOURCES", lambda resources: {**resources, **_IMPORT_JOBS})
    yield Patch(actions, "_lambda_action", _with_reading_of_concurrency)
    yield Patch(lambdas, "_emit_lambda_logs", lambda emit: _logging_if_allowed(emulator, emit))
    yield Patch(lambdas, "_iter_all_esms", lambda mappings: _polling_if_allowed(emulator, lambdas, mappings))
    yield Patch(emulator.service("eventbridge"), "_invoke_target", lambda call: _scheduling_if_allowed(emulator, call))
    yield Patch(stacks, "_provision_resource", lambda create: _recording_key(emulator, create, properties=2))
    yield Patch(stacks, "_update_resource", lambda update: _recording_key(emulator, update, properties=3))
    for service, name in (("sns", "topic_policy_allows"), ("sqs", "queue_policy_allows")):
        yield Patch(emulator.service(service), name, lambda allows: _delivering_if_key_allows(emulator, allows))


def _with_key_check(emulator: Emulator, enforce: Callable[..., Any]) -> Callable[..., Any]:
    """Check the use of a resource's key too, and record what functions request."""

    def check_and_record(access_key_id: str, action: str, service: str, region: str, **options: Any) -> Any:  # noqa: ANN401
        denied = enforce(access_key_id, action, service, region, **options)
        resource = options.get("resource_arn", "*")
        emulator.policies.record_request(access_key_id, action, resource, allowed=denied is None)
        return denied

    def replacement(access_key_id: str, action: str, service: str, region: str, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        action = _SQS_BATCHES.get(action, action)
        named = dict(zip(("resource_arn", "service_context"), rest, strict=False)) | options
        denied = None
        for entry_context in split_by_entry(named.get("service_context") or {}):
            named["service_context"] = entry_context
            denied = denied or check_and_record(access_key_id, action, service, region, **named)
        key = emulator.keys.find(named.get("resource_arn", "*"))
        context = {"kms:viaservice": name_service(action, region)}
        for use in needed_key_actions(action) if key else ():
            denied = denied or check_and_record(
                access_key_id, use, "kms", region, resource_arn=key, service_context=context
            )
        return denied

    return replacement


def _with_reading_of_concurrency(find: Callable[[str, str], str | None]) -> Callable[[str, str], str | None]:
    """Distinguish the action that reads a function's concurrency from the one that changes it."""

    def replacement(method: str, path: str) -> str | None:
        reads = method == "GET" and path.rstrip("/").endswith("/concurrency")
        return "GetFunctionConcurrency" if reads else find(method, path)

    return replacement


def with_partiql_actions(checks: Callable[..., Any]) -> Callable[..., Any]:
    """Check the IAM action of each PartiQL statement: there is no action named BatchExecuteStatement.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
    """

    def replacement(action: str, body: bytes, region: str, account: str) -> Any:  # noqa: ANN401
        if action not in _PARTIQL:
            return checks(action, body, region, account)
        document = json.loads(body)
        texts = [statement["Statement"] for statement in document.get("Statements", [document])]
        tables = f"arn:aws:dynamodb:{region}:{account}:table"
        return sorted({(verb, f"{tables}/{table}") for verb, table in map(_parse_action_and_table, texts)})

    return replacement


def with_batch_projections(read_context: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Find the attributes that BatchGetItem reads. It has a projection for each table; ministack expects one.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """

    def replacement(body: bytes) -> Any:  # noqa: ANN401 (ministack's condition keys)
        document = json.loads(body or b"{}")
        reads = document.get("RequestItems")
        if not isinstance(reads, dict) or not all(isinstance(read, dict) for read in reads.values()):
            return read_context(body)
        contexts = [read_context(json.dumps(read).encode()) for read in reads.values()]
        everything = next((context for context in contexts if "dynamodb:Attributes" not in context), None)
        if everything is not None:
            return everything
        attributes = {name for context in contexts for name in context["dynamodb:Attributes"]}
        return {**contexts[0], "dynamodb:Attributes": sorted(attributes)}

    return replacement


def with_event_keys(read_context: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Add the condition keys of PutEvents.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    """

    def replacement(service: str, action: str, body: bytes, *rest: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        context = read_context(service, action, body, *rest, **options)
        if action != "events:PutEvents":
            return context
        entries = json.loads(body).get("Entries", [])
        keys = {"events:source": "Source", "events:detail-type": "DetailType"}
        return {**context, **{key: [entry.get(name) for entry in entries] for key, name in keys.items()}}

    return replacement


def split_by_entry(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the condition keys of each event of PutEvents, or the same keys for another operation."""
    keys = [key for key in ("events:source", "events:detail-type") if key in context]
    if not keys:
        return [dict(context)]
    entries = zip(*(context[key] for key in keys), strict=True)
    return [{**context, **dict(zip(keys, values, strict=True))} for values in entries]


def _parse_action_and_table(statement: str) -> tuple[str, str]:
    """Return the IAM action and the table of a PartiQL statement."""
    match = _STATEMENT.match(statement)
    if match is None:
        return "dynamodb:PartiQLSelect", "*"
    return f"dynamodb:PartiQL{match['verb'].capitalize()}", match["table"]


def _recording_key(emulator: Emulator, provision: Callable[..., Any], *, properties: int) -> Callable[..., Any]:
    """Record the key of what CloudFormation creates or updates. `properties` is the position of that argument."""

    def replacement(*arguments: Any) -> Any:  # noqa: ANN401
        physical_id, attributes = provision(*arguments)
        emulator.keys.record(attributes or {}, arguments[properties])
        return physical_id, attributes

    return replacement


def _delivering_if_key_allows(emulator: Emulator, allows: Callable[..., bool]) -> Callable[..., bool]:
    """Let a service deliver to an encrypted topic or queue only if the key policy allows it."""

    def replacement(arn: str, service: str, source_arn: str, source_account: str) -> bool:
        context = {"aws:sourcearn": source_arn, "aws:sourceaccount": source_account}
        action = "sns:Publish" if ":sns:" in arn else "sqs:SendMessage"
        region = emulator.scope().region
        key_allows = all(
            emulator.policies.key_policy_allows(service, use, arn, region=region, context=context)
            for use in needed_key_actions(action)
        )
        return key_allows and allows(arn, service, source_arn, source_account)

    return replacement


def _logging_if_allowed(emulator: Emulator, emit: Callable[..., None]) -> Callable[..., None]:
    """Write a function's log only if its role allows it and CloudWatch Logs may use the log group's key.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """

    def replacement(func: Mapping[str, Any], *rest: Any, **options: Any) -> None:  # noqa: ANN401
        config = func.get("config") or func
        name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        scope = emulator.scope()
        group = f"arn:aws:logs:{scope.region}:{scope.account}:log-group:{name}"
        # A list, not a generator, so that both requests are recorded.
        allowed = [
            emulator.policies.role_allows(config["Role"], action, f"{group}:log-stream:any", scope.region)
            for action in ("logs:CreateLogStream", "logs:PutLogEvents")
        ]
        service, context = f"logs.{scope.region}.amazonaws.com", {"kms:encryptioncontext:aws:logs:arn": group}
        if all(allowed) and emulator.policies.key_policy_allows(
            service, "kms:Encrypt", f"{group}:*", region=scope.region, context=context
        ):
            emit(func, *rest, **options)

    return replacement


def _polling_if_allowed(
    emulator: Emulator,
    lambdas: Any,  # noqa: ANN401
    mappings: Callable[[], Iterable[tuple[str, str, Any]]],
) -> Callable[[], Iterator[tuple[str, str, Any]]]:
    """Poll an event source only if the function's role allows it."""

    def replacement() -> Iterator[tuple[str, str, Any]]:
        for account, region, mapping in mappings():
            source = mapping.get("EventSourceArn", "")
            function = lambdas._functions.get_scoped(account, region, mapping["FunctionName"])  # noqa: SLF001
            role = ((function or {}).get("config") or {}).get("Role", "")
            actions = _POLL_ACTIONS.get(source.split(":")[2], ())
            if not role or all(emulator.policies.role_allows(role, action, source, region) for action in actions):
                yield account, region, mapping

    return replacement


def _scheduling_if_allowed(emulator: Emulator, invoke: Callable[..., Any]) -> Callable[..., Any]:
    """Let a schedule invoke a function only if the schedule's role allows it.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html
    """

    def replacement(target: Mapping[str, Any], *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        arn, role = target.get("Arn", ""), target.get("RoleArn", "")
        if role and ":lambda:" in arn:
            region = arn.split(":")[3]
            if not emulator.policies.role_allows(role, "lambda:InvokeFunction", arn, region):
                return None
        return invoke(target, *rest, **options)

    return replacement
