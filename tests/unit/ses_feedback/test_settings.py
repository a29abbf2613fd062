"""Settings take what the template sets, and name what is wrong with anything else."""

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


def test_defaults() -> None:
    """A function that is told its table only does what the template does by default."""
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


def test_everything_set() -> None:
    """Every setting comes from the variable of its name."""
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


def test_limits() -> None:
    """The three settings that judge contacts go together."""
    assert from_environment(EVERYTHING).limits == Limits(
        3, 30, list_unsubscribed=True, list_suspended=True, suspension_days=10, deliveries_published=False
    )


def test_the_environment_is_the_process_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being told another, the environment is the one Lambda made."""
    for name, value in EVERYTHING.items():
        monkeypatch.setenv(name, value)
    assert from_environment() == from_environment(EVERYTHING)


def test_an_empty_variable_is_none() -> None:
    """CloudFormation sets an omitted optional parameter to an empty string."""
    empty = dict.fromkeys(EVERYTHING.keys() - REQUIRED.keys(), "")
    assert from_environment(REQUIRED | empty) == from_environment(REQUIRED)


WRONG = [
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
    ("DELIVERIES_BY", "Carrier pigeon"),
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


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{name}={value[:9]}" for name, value in WRONG])
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    """The message names the variable, what it takes and what to do, and not what it was."""
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
def test_bounds(name: str, least: float, most: float) -> None:
    """The least and the most allowed are allowed."""
    read = [getattr(from_environment(REQUIRED | {name: str(value)}), name.lower()) for value in (least, most)]
    assert read == [least, most]


def test_forty_configuration_sets() -> None:
    """As many configuration sets as may have a dimension of their own can be named, and a number more can't."""
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


def test_access_as_lambda_gives_it() -> None:
    """To DynamoDB in the function's region, with the function's own keys."""
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
def test_where_dynamodb_is(more: dict[str, str], url: str) -> None:
    """An endpoint of one's own comes first, as with every SDK of AWS's."""
    access = access_from_environment(LAMBDA | more, NO_ROOTS)
    assert access
    assert access.url == url


def test_whose_certificates_are_trusted(tmp_path: Path) -> None:
    """Those one says, else Amazon's own where the package has them."""
    roots = tmp_path / "amazon.pem"
    roots.touch()
    told = {"AWS_CA_BUNDLE": "/etc/ssl/own.pem"}
    found = [access_from_environment(LAMBDA | more, path) for more in (told, {}) for path in (roots, NO_ROOTS)]
    assert [access and access.ca_bundle for access in found] == ["/etc/ssl/own.pem"] * 2 + [str(roots), ""]


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
def test_where_botocore_has_to_find_the_way(more: dict[str, str]) -> None:
    """Whatever is not the plain way."""
    assert access_from_environment(LAMBDA | more, NO_ROOTS) is None


def test_no_key_is_shown() -> None:
    """Printing an access shows no secret key."""
    assert "made-up" not in repr(access_from_environment(LAMBDA, NO_ROOTS))


@pytest.mark.parametrize(
    ("deliveries_by", "days", "window"),
    [("Topic", 0, 365), ("Firehose", 0, 365), ("None", 0, 60), ("None", 20, 20), ("Topic", 20, 20)],
)
def test_the_automatic_window_depends_on_published_deliveries(deliveries_by: str, days: int, window: int) -> None:
    settings = Settings("Contacts", soft_bounce_window_days=days, deliveries_by=deliveries_by)
    assert (settings.limits.window_days, settings.limits.deliveries_published) == (window, deliveries_by != "None")
