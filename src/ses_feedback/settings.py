"""Settings of a Lambda function. No other module reads the environment."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from ses_feedback.aws.endpoints import AMAZON_ROOTS, Access, has_amazon_certificate
from ses_feedback.aws.metrics import MAX_CONFIGURATION_SETS
from ses_feedback.contacts.contact import MAX_SOFT_BOUNCE_LIMIT
from ses_feedback.contacts.status import Limits
from ses_feedback.judging.policy import AmbiguousComplaint, PolicyOptions

LANES = ("Bounce", "Complaint", "Delivery")
DELIVERIES_BY = ("Topic", "Firehose", "None")
WINDOW_WITH_DELIVERIES = 365
"""Days of the automatic soft-bounce window. Only a clean delivery proves that a mailbox works."""
WINDOW_WITHOUT_DELIVERIES = 60
"""Days of the automatic window if SES publishes no deliveries: there may be deliveries between distant soft bounces."""
MAX_STREAMS = 20

_BOTOCORE_ONLY = (
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "https_proxy",
    "http_proxy",
)
"""Environment variables that change how AWS is reached. Only botocore implements them.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html
"""

_STREAM = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Name of a configuration set: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateConfigurationSet.html"""

_T = TypeVar("_T")
_Number = TypeVar("_Number", int, float)


class SettingsError(Exception):
    """An environment variable is missing or invalid. The message contains its name and the values that are `valid`."""

    def __init__(self, name: str, valid: str) -> None:
        """Describe the variable `name` and its valid values."""
        super().__init__(
            f"the environment variable {name} must be {valid}; the template sets it, so deploy the template again"
        )
        self.valid = valid


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a function. The environment variables have the same names, in capitals."""

    table_name: str
    quarantine_queue_url: str = ""
    lane: str = ""
    soft_bounce_limit: int = 5
    soft_bounce_window_days: int = 0
    suspension_days: int = 30
    list_suspended: bool = False
    deliveries_by: str = "Topic"
    streams: tuple[str, ...] = field(default=())
    ambiguous_complaint: AmbiguousComplaint = AmbiguousComplaint.UNSUBSCRIBE
    history_days: int = 365
    metric_configuration_sets: tuple[str, ...] = field(default=())
    event_bus_name: str = "default"
    suppression_rate: float = 1.0
    suppress_unsubscribed: bool = False
    suppression_backlog_hours: float = 6.0
    import_bucket: str = ""
    delivery_bucket: str = ""
    stack_name: str = ""
    stack_id: str = ""

    @property
    def limits(self) -> Limits:
        """Limits for the status of contacts and for the suppression list."""
        return Limits(
            self.soft_bounce_limit,
            self.soft_bounce_window_days
            or (WINDOW_WITH_DELIVERIES if self.deliveries_published else WINDOW_WITHOUT_DELIVERIES),
            self.suppress_unsubscribed,
            self.list_suspended,
            self.suspension_days,
            self.deliveries_published,
        )

    @property
    def deliveries_published(self) -> bool:
        """True if SES publishes deliveries to the stack."""
        return self.deliveries_by != "None"

    @property
    def policy_options(self) -> PolicyOptions:
        """Options of the policy that change verdicts."""
        return PolicyOptions(self.ambiguous_complaint, frozenset(self.streams))


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings in `environment`.

    Raises:
        SettingsError: A setting is missing or invalid.

    """
    read = _Reader(environment)
    return Settings(
        table_name=read("TABLE_NAME", _text, "the name of the Contacts table"),
        quarantine_queue_url=read("QUARANTINE_QUEUE_URL", str, "the URL of the QuarantineQueue", ""),
        lane=read("LANE", _one_of(*LANES), f"one of {', '.join(LANES)}", ""),
        soft_bounce_limit=read(
            "SOFT_BOUNCE_LIMIT",
            _number(int, 1, MAX_SOFT_BOUNCE_LIMIT),
            f"a number from 1 to {MAX_SOFT_BOUNCE_LIMIT}",
            5,
        ),
        soft_bounce_window_days=read(
            "SOFT_BOUNCE_WINDOW_DAYS", _number(int, 0, 3650), "a number of days from 0 to 3650", 0
        ),
        suspension_days=read("SUSPENSION_DAYS", _number(int, 0, 365), "a number of days from 0 to 365", 30),
        list_suspended=read("LIST_SUSPENDED", _boolean, "true or false", False),  # noqa: FBT003 (a value)
        deliveries_by=read("DELIVERIES_BY", _one_of(*DELIVERIES_BY), f"one of {', '.join(DELIVERIES_BY)}", "Topic"),
        streams=read(
            "STREAMS", parse_streams, f"at most {MAX_STREAMS} names of {_STREAM.pattern}, separated by commas", ()
        ),
        ambiguous_complaint=read(
            "AMBIGUOUS_COMPLAINT", AmbiguousComplaint, "unsubscribe or note", AmbiguousComplaint.UNSUBSCRIBE
        ),
        history_days=read("HISTORY_DAYS", _number(int, 1, 3650), "a number of days from 1 to 3650", 365),
        metric_configuration_sets=read(
            "METRIC_CONFIGURATION_SETS",
            _names(MAX_CONFIGURATION_SETS),
            f"at most {MAX_CONFIGURATION_SETS} names of configuration sets, separated by commas",
            (),
        ),
        event_bus_name=read("EVENT_BUS_NAME", _text, "the name of an event bus", "default"),
        suppression_rate=read("SUPPRESSION_RATE", _number(float, 0.1, 100), "calls a second, from 0.1 to 100", 1.0),
        suppress_unsubscribed=read("SUPPRESS_UNSUBSCRIBED", _boolean, "true or false", False),  # noqa: FBT003 (a value)
        suppression_backlog_hours=read("SUPPRESSION_BACKLOG_HOURS", _number(float, 0, 24), "hours, from 0 to 24", 6.0),
        import_bucket=read("IMPORT_BUCKET", str, "the name of the ImportBucket", ""),
        delivery_bucket=read("DELIVERY_BUCKET", str, "the name of the DeliveryBucket", ""),
        stack_name=read("STACK_NAME", str, "the name of the stack", ""),
        stack_id=read("STACK_ID", str, "the id of the stack", ""),
    )


def access_from_environment(environment: Mapping[str, str] = os.environ, roots: Path = AMAZON_ROOTS) -> Access | None:
    """Return endpoint and credentials for DynamoDB, or None if botocore's client must be used instead.

    botocore is needed if `environment` lacks a value, or has settings that only botocore implements.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION", "")
    key_id, secret = (environment.get(name, "") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    if not (key_id and secret and has_amazon_certificate(region)) or any(map(environment.get, _BOTOCORE_ONLY)):
        return None
    configured = environment.get("AWS_ENDPOINT_URL_DYNAMODB") or environment.get("AWS_ENDPOINT_URL")
    url = configured or f"https://dynamodb.{region}.amazonaws.com"
    if urlsplit(url).path.strip("/"):
        return None
    bundle = environment.get("AWS_CA_BUNDLE") or (str(roots) if roots.exists() else "")
    return Access(url, region, key_id, secret, environment.get("AWS_SESSION_TOKEN", ""), bundle)


@dataclass(frozen=True, slots=True)
class _Reader:
    environment: Mapping[str, str]

    def __call__(self, name: str, parse: Callable[[str], _T], valid: str, default: _T | None = None) -> _T:
        value = self.environment.get(name, "")
        if not value and default is not None:
            return default
        try:
            return parse(value)
        except ValueError:
            raise SettingsError(name, valid) from None


def _text(value: str) -> str:
    if not value:
        raise ValueError
    return value


def _one_of(*values: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        return values[values.index(value)]

    return parse


def _number(kind: type[_Number], least: float, most: float) -> Callable[[str], _Number]:
    def parse(value: str) -> _Number:
        number = kind(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def _boolean(value: str) -> bool:
    return ("false", "true").index(value) == 1


def parse_streams(value: str) -> tuple[str, ...]:
    """Return the names of streams in `value`, separated by commas.

    Raises:
        ValueError: A name is invalid, or there are more than `MAX_STREAMS`.

    """
    names = _names(MAX_STREAMS)(value)
    if not all(map(_STREAM.fullmatch, names)):
        raise ValueError
    return names


def _names(most: int) -> Callable[[str], tuple[str, ...]]:
    def parse(value: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in value.split(",") if name.strip())
        if len(names) > most:
            raise ValueError
        return names

    return parse
