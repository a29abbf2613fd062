"""IAM actions of every operator command, and the least-privilege policies made of them.

`feedbackctl iam read` and `feedbackctl iam change` print the policies. Tests compare the actions that each command
calls with its declaration here.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple


class Resource(StrEnum):
    """Kind of resource that an action applies to."""

    STACK = "stack"
    TABLE = "table"
    INDEXES = "indexes"
    RATE_LIMITER = "rate limiter"
    """The item of the table that all SES calls reserve their moment on."""
    QUEUES = "queues"
    LANE_QUEUES = "lane queues"
    IMPORTS = "import objects"
    KEY = "key"
    TOPICS = "topics"
    FUNCTIONS = "functions"
    SCHEDULES = "schedules"
    IMPORT_BUCKET = "import bucket"
    ANY = "any"
    """AWS defines no resource for the action, or the command cannot know it."""


class Permission(NamedTuple):
    """An IAM action and the kind of resource that a command uses it on."""

    action: str
    resource: Resource = Resource.ANY


class CommandPermissions(NamedTuple):
    """Permissions of a command. `changes` is True if the command may change contacts, queues or the list."""

    changes: bool
    permissions: frozenset[Permission]


# sts:GetCallerIdentity needs no permission.
# https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
_FIND_STACK = (Permission("cloudformation:DescribeStacks"),)
_TABLE_KEY = (Permission("kms:Decrypt", Resource.KEY),)
"""Reads and writes of a table with a customer managed key.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html"""


def _command(*permissions: Permission, changes: bool = False) -> CommandPermissions:
    return CommandPermissions(changes, frozenset((*_FIND_STACK, *permissions)))


_DOCTOR = _command(
    Permission("cloudformation:ListStackResources", Resource.STACK),
    *(
        Permission(f"dynamodb:{name}", Resource.TABLE)
        for name in ("DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive")
    ),
    Permission("dynamodb:Query", Resource.INDEXES),
    *_TABLE_KEY,
    Permission("events:DescribeEventBus"),
    *(Permission(f"kms:{name}", Resource.KEY) for name in ("DescribeKey", "GetKeyPolicy")),
    *(
        Permission(f"lambda:{name}", Resource.FUNCTIONS)
        for name in ("GetFunctionConcurrency", "GetFunctionConfiguration")
    ),
    Permission("s3:GetBucketPolicy", Resource.IMPORT_BUCKET),
    Permission("scheduler:GetSchedule", Resource.SCHEDULES),
    *(Permission(f"sns:{name}", Resource.TOPICS) for name in ("GetTopicAttributes", "ListSubscriptionsByTopic")),
    *(Permission("sqs:GetQueueAttributes", queues) for queues in (Resource.LANE_QUEUES, Resource.QUEUES)),
    # These belong to the account, or AWS defines no resource for them.
    *(
        Permission(action)
        for action in (
            "cloudwatch:DescribeAlarms",
            "cloudwatch:GetMetricStatistics",
            "lambda:ListEventSourceMappings",
            "ses:BatchGetMetricData",
            "ses:GetAccount",
            "ses:GetConfigurationSet",
            "ses:GetConfigurationSetEventDestinations",
            "ses:GetContactList",
            "ses:GetEmailIdentity",
            "ses:GetIdentityDkimAttributes",
            "ses:GetIdentityMailFromDomainAttributes",
            "ses:GetIdentityNotificationAttributes",
            "ses:GetReputationEntity",
            "ses:GetTenant",
            "ses:ListConfigurationSets",
            "ses:ListContactLists",
            "ses:ListEmailIdentities",
            "ses:ListImportJobs",
            "ses:ListResourceTenants",
            "sns:GetSubscriptionAttributes",
        )
    ),
)
_SMOKE = _command(
    Permission("cloudwatch:GetMetricStatistics"),
    Permission("dynamodb:GetItem", Resource.TABLE),
    *_TABLE_KEY,
    Permission("ses:ListEmailIdentities"),
    Permission("ses:SendEmail"),
    Permission("sqs:GetQueueAttributes", Resource.QUEUES),
    changes=True,
)
_READ_CONTACT = (Permission("dynamodb:BatchGetItem", Resource.TABLE), *_TABLE_KEY)
_READ_HISTORY = (Permission("dynamodb:Query", Resource.TABLE), *_TABLE_KEY)
_SEARCH = (
    Permission("dynamodb:Query", Resource.INDEXES),
    Permission("dynamodb:Scan", Resource.TABLE),
    *_READ_CONTACT,
    *_READ_HISTORY,
)
_WRITE_CONTACT = (
    Permission("dynamodb:PartiQLInsert", Resource.TABLE),
    Permission("dynamodb:PartiQLUpdate", Resource.TABLE),
    *_READ_CONTACT,
)
_RATE_LIMITER = (
    Permission("dynamodb:GetItem", Resource.RATE_LIMITER),
    Permission("dynamodb:UpdateItem", Resource.RATE_LIMITER),
)
_LIST = (
    Permission("dynamodb:Query", Resource.INDEXES),
    *_READ_CONTACT,
    *_RATE_LIMITER,
    Permission("ses:GetAccount"),
    Permission("ses:ListSuppressedDestinations"),
)
_READ_QUEUE = (
    Permission("sqs:ChangeMessageVisibility", Resource.QUEUES),
    Permission("sqs:ReceiveMessage", Resource.QUEUES),
    *_TABLE_KEY,
)
"""Reading a message hides it until it is made visible again."""
_REDRIVE = (
    *_READ_QUEUE,
    Permission("sqs:DeleteMessage", Resource.QUEUES),
    Permission("sqs:SendMessage", Resource.LANE_QUEUES),
    Permission("kms:GenerateDataKey", Resource.KEY),
)

COMMANDS: Mapping[str, CommandPermissions] = MappingProxyType(
    {
        "contact show": _command(
            *_READ_CONTACT,
            *_RATE_LIMITER,
            Permission("ses:GetAccount"),
            Permission("ses:GetSuppressedDestination"),
        ),
        "contact explain": _command(
            *_READ_CONTACT, *_READ_HISTORY, *_RATE_LIMITER, Permission("ses:GetMessageInsights")
        ),
        "contact list": _command(*_SEARCH),
        "contact export": _command(*_SEARCH),
        "contact operations": _command(*_READ_HISTORY),
        "contact reinstate": _command(
            *_SEARCH,
            *_WRITE_CONTACT,
            *_RATE_LIMITER,
            Permission("dynamodb:PutItem", Resource.TABLE),
            Permission("s3:DeleteObject", Resource.IMPORTS),
            Permission("s3:PutObject", Resource.IMPORTS),
            Permission("kms:GenerateDataKey", Resource.KEY),
            Permission("ses:CreateImportJob"),
            Permission("ses:GetImportJob"),
            changes=True,
        ),
        "contact suppress": _command(*_WRITE_CONTACT, changes=True),
        "contact unsubscribe": _command(*_WRITE_CONTACT, changes=True),
        "contact resubscribe": _command(*_WRITE_CONTACT, changes=True),
        "contact import": _command(
            *_READ_HISTORY, *_WRITE_CONTACT, Permission("dynamodb:PutItem", Resource.TABLE), changes=True
        ),
        "contact erase": _command(
            *_READ_CONTACT,
            *_READ_HISTORY,
            *_RATE_LIMITER,
            Permission("dynamodb:BatchWriteItem", Resource.TABLE),
            Permission("dynamodb:DeleteItem", Resource.TABLE),
            Permission("dynamodb:PutItem", Resource.TABLE),
            Permission("ses:DeleteSuppressedDestination"),
            changes=True,
        ),
        "list diff": _command(*_LIST),
        "list reconcile": _command(
            *_LIST, *_WRITE_CONTACT, *_READ_HISTORY, Permission("dynamodb:PutItem", Resource.TABLE), changes=True
        ),
        "contact-hash": _command(),
        "doctor": _DOCTOR,
        "smoke": _SMOKE,
        "quarantine list": _command(*_READ_QUEUE),
        "quarantine show": _command(*_READ_QUEUE),
        "quarantine redrive": _command(*_REDRIVE, changes=True),
        "dead-letters list": _command(*_READ_QUEUE),
        "dead-letters redrive": _command(*_REDRIVE, changes=True),
        "undelivered list": _command(*_READ_QUEUE),
        "undelivered redrive": _command(*_REDRIVE, changes=True),
        "iam read": _command(),
        "iam change": _command(),
    }
)
"""Permissions by the command's words after `feedbackctl`."""


def is_change(command: str) -> bool:
    """Return True unless `command` is declared to only read."""
    declared = COMMANDS.get(command)
    return declared is None or declared.changes


def policy_document(*, changes: bool, arns: Mapping[Resource, tuple[str, ...]]) -> dict[str, Any]:
    """Return the IAM policy for the commands that read, or with `changes` for those that change as well.

    `arns` has the stack's resources. An action whose resources the stack does not have is left out.
    """
    permissions = {
        permission
        for declared in COMMANDS.values()
        if changes or not declared.changes
        for permission in declared.permissions
    }
    by_resource = {
        resource: sorted(one.action for one in permissions if one.resource is resource) for resource in Resource
    }
    statements = [
        _statement(resource, actions, arns[resource])
        for resource, actions in by_resource.items()
        if actions and arns.get(resource)
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(resource: Resource, actions: Iterable[str], arns: tuple[str, ...]) -> dict[str, Any]:
    sid = "".join(word.capitalize() for word in resource.value.split())
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(arns)}
    return statement | ({"Condition": _RATE_LIMITER_ONLY} if resource is Resource.RATE_LIMITER else {})


# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
_RATE_LIMITER_ONLY = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["suppression-list"]}}
