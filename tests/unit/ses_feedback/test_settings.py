"""Settings are read from the variables of the template. Invalid values raise an error that names the variable."""

from pathlib import Path

import pytest

from ses_feedback.aws.endpoints import Access
from ses_feedback.contacts.status import Limits
from ses_feedback.judging.policy import AmbiguousComplaint
from ses_feedback.settings import Settings, SettingsError, access_from_environment, from_environment

REQUIRED = {"TABLE_NAME": "Contacts"}
EVERYTHING = {
    "TABLE_NAME": "Contacts",
    "QUARANTINE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/Quarantine",
    "LANE": "Complaint",
    "SOFT_BOUNCE_LIMIT": "3",
    "SOFT_BOUNCE_WINDOW_DAYS": "30",
    "SUSPENSION_DAYS": "10",
    "LIST_SUSPENDED": "true",
    "DELIVERIES_BY": "None",
    "STREAMS": "newsletter, offers",
    "AMBIGUOUS_COMPLAINT": "note",
    "HISTORY_DAYS": "7",
    "METRIC_CONFIGURATION_SETS": "receipts, marketing,",
    "EVENT_BUS_NAME": "bus",
    "SUPPRESSION_RATE": "0.5",
    "SUPPRESS_UNSUBSCRIBED": "true",
    "SUPPRESSION_BACKLOG_HOURS": "1.5",
    "IMPORT_BUCKET": "imports",
}


def test_only_the_table_given_yields_the_defaults_of_the_template() -> None:
    assert from_environment(REQUIRED) == Settings(
        table_name="Contacts",
        quarantine_queue_url="",
        lane="",
        soft_bounce_limit=5,
        soft_bounce_window_days=0,
        suspension_days=30,
        list_suspended=False,
        deliveries_by="Topic",
        streams=(),
        ambiguous_complaint=AmbiguousComplaint.UNSUBSCRIBE,
        history_days=365,
        metric_configuration_sets=(),
        event_bus_name="default",
        suppression_rate=1.0,
        suppress_unsubscribed=False,
        suppression_backlog_hours=6.0,
        import_bucket="",
    )


def test_every_setting_is_read_from_the_variable_of_its_name() -> None:
    assert from_environment(EVERYTHING) == Settings(
        table_name="Contacts",
        quarantine_queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/Quarantine",
        lane="Complaint",
        soft_bounce_limit=3,
        soft_bounce_window_days=30,
        suspension_days=10,
        list_suspended=True,
        deliveries_by="None",
        streams=("newsletter", "offers"),
        ambiguous_complaint=AmbiguousComplaint.NOTE,
        history_days=7,
        metric_configuration_sets=("receipts", "marketing"),
        event_bus_name="bus",
        suppression_rate=0.5,
        suppress_unsubscribed=True,
        suppression_backlog_hours=1.5,
        import_bucket="imports",
    )


def test_limits_contain_the_five_settings_that_affect_status() -> None:
    assert from_environment(EVERYTHING).limits == Limits(
        3, 30, list_unsubscribed=True, list_suspended=True, suspension_days=10, deliveries_published=False
    )


def test_without_an_argument_the_environment_of_the_process_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in EVERYTHING.items():
        monkeypatch.setenv(name, value)
    assert from_environment() == from_environment(EVERYTHING)


def test_an_empty_variable_counts_as_missing() -> None:
    """CloudFormation sets an optional parameter without a value to an empty string."""
    empty = dict.fromkeys(EVERYTHING.keys() - REQUIRED.keys(), "")
    assert from_environment(REQUIRED | empty) == from_environment(REQUIRED)


INVALID = [
    ("TABLE_NAME", ""),
    ("LANE", "bounce"),
    ("LANE", "Send"),
    ("SOFT_BOUNCE_LIMIT", "0"),
    ("SOFT_BOUNCE_LIMIT", "31"),
    ("SOFT_BOUNCE_LIMIT", "five"),
    ("SOFT_BOUNCE_LIMIT", "2.5"),
    ("SOFT_BOUNCE_WINDOW_DAYS", "-1"),
    ("SUSPENSION_DAYS", "-1"),
    ("SUSPENSION_DAYS", "366"),
    ("LIST_SUSPENDED", "yes"),
    ("DELIVERIES_BY", "Email"),
    ("STREAMS", "news letter"),
    ("STREAMS", ",".join(f"stream-{number}" for number in range(21))),
    ("SOFT_BOUNCE_WINDOW_DAYS", "3651"),
    ("AMBIGUOUS_COMPLAINT", "Unsubscribe"),
    ("HISTORY_DAYS", "-1"),
    ("HISTORY_DAYS", "9" * 5_000),
    ("METRIC_CONFIGURATION_SETS", ",".join(f"set-{number}" for number in range(41))),
    ("SUPPRESSION_RATE", "0"),
    ("SUPPRESSION_RATE", "-1"),
    ("SUPPRESSION_RATE", "nan"),
    ("SUPPRESSION_RATE", "inf"),
    ("SUPPRESSION_RATE", "often"),
    ("SUPPRESSION_BACKLOG_HOURS", "-1"),
    ("SUPPRESSION_BACKLOG_HOURS", "25"),
    ("SUPPRESSION_BACKLOG_HOURS", "nan"),
    ("SUPPRESSION_BACKLOG_HOURS", "a day"),
    ("SUPPRESS_UNSUBSCRIBED", "True"),
    ("SUPPRESS_UNSUBSCRIBED", "1"),
]


@pytest.mark.parametrize(("name", "value"), INVALID, ids=[f"{name}={value[:9]}" for name, value in INVALID])
def test_an_invalid_value_raises_an_error_with_the_name_and_the_valid_values(name: str, value: str) -> None:
    """The message contains the next step, but not the value."""
    with pytest.raises(
        SettingsError, match=rf"^the environment variable {name} must be .+deploy the template"
    ) as raised:
        from_environment(REQUIRED | {name: value})
    assert (raised.value.__cause__, raised.value.__suppress_context__) == (None, True)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("SOFT_BOUNCE_LIMIT", 1, 30),
        ("SOFT_BOUNCE_WINDOW_DAYS", 0, 3650),
        ("HISTORY_DAYS", 1, 3650),
        ("SUPPRESSION_RATE", 0.1, 100),
        ("SUPPRESSION_BACKLOG_HOURS", 0, 24),
    ],
)
def test_the_smallest_and_the_largest_valid_number_are_accepted(name: str, least: float, most: float) -> None:
    read = [getattr(from_environment(REQUIRED | {name: str(value)}), name.lower()) for value in (least, most)]
    assert read == [least, most]


def test_forty_configuration_sets_are_accepted() -> None:
    """This is the largest number of configuration sets that have a metric dimension of their own."""
    names = tuple(f"set-{number}" for number in range(40))
    read = from_environment(REQUIRED | {"METRIC_CONFIGURATION_SETS": ",".join(names)})
    assert read.metric_configuration_sets == names


LAMBDA = {
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "made-up-secret",
    "AWS_SESSION_TOKEN": "made-up-token",
}
NO_ROOTS = Path("nowhere")
DYNAMODB = "https://dynamodb.eu-central-1.amazonaws.com"


def test_access_has_the_region_and_credentials_that_lambda_sets() -> None:
    assert access_from_environment(LAMBDA, NO_ROOTS) == Access(
        DYNAMODB, "eu-central-1", "AKIDEXAMPLE", "made-up-secret", "made-up-token", ""
    )


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566/"}, "http://127.0.0.1:4566/"),
        ({"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_DYNAMODB": "http://one"}, "http://one"),
        ({"AWS_REGION": "us-gov-west-1"}, "https://dynamodb.us-gov-west-1.amazonaws.com"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"}, "https://dynamodb.us-east-1.amazonaws.com"),
        ({"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-west-2"}, "https://dynamodb.us-east-1.amazonaws.com"),
        ({"AWS_USE_FIPS_ENDPOINT": ""}, DYNAMODB),
    ],
)
def test_a_configured_endpoint_overrides_the_endpoint_of_the_region(more: dict[str, str], url: str) -> None:
    """This is the order of all AWS SDKs.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    """
    access = access_from_environment(LAMBDA | more, NO_ROOTS)
    assert access
    assert access.url == url


def test_a_configured_ca_bundle_overrides_the_bundle_of_the_package(tmp_path: Path) -> None:
    roots = tmp_path / "amazon.pem"
    roots.touch()
    configured = {"AWS_CA_BUNDLE": "/etc/ssl/own.pem"}
    accesses = [access_from_environment(LAMBDA | more, path) for more in (configured, {}) for path in (roots, NO_ROOTS)]
    assert [access and access.ca_bundle for access in accesses] == ["/etc/ssl/own.pem"] * 2 + [str(roots), ""]


@pytest.mark.parametrize(
    "more",
    [
        {"AWS_ACCESS_KEY_ID": ""},
        {"AWS_SECRET_ACCESS_KEY": ""},
        {"AWS_REGION": ""},
        {"AWS_REGION": "cn-north-1"},
        {"AWS_REGION": "us-iso-east-1"},
        {"AWS_REGION": "us-isob-east-1"},
        {"AWS_REGION": "eusc-de-east-1"},
        {"AWS_REGION": "somewhere-new"},
        {"AWS_REGION": "us-east-1.example.com/"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566/emulator"},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        {"HTTPS_PROXY": "http://proxy:3128"},
        {"HTTP_PROXY": "http://proxy:3128"},
        {"https_proxy": "http://proxy:3128"},
        {"http_proxy": "http://proxy:3128"},
    ],
)
def test_access_is_none_if_only_botocore_can_reach_dynamodb(more: dict[str, str]) -> None:
    assert access_from_environment(LAMBDA | more, NO_ROOTS) is None


def test_the_representation_of_access_contains_no_secret() -> None:
    assert "made-up" not in repr(access_from_environment(LAMBDA, NO_ROOTS))


@pytest.mark.parametrize(
    ("deliveries_by", "days", "window"),
    [("Topic", 0, 365), ("Firehose", 0, 365), ("None", 0, 60), ("None", 20, 20), ("Topic", 20, 20)],
)
def test_the_automatic_window_depends_on_published_deliveries(deliveries_by: str, days: int, window: int) -> None:
    settings = Settings("Contacts", soft_bounce_window_days=days, deliveries_by=deliveries_by)
    assert (settings.limits.window_days, settings.limits.deliveries_published) == (window, deliveries_by != "None")
