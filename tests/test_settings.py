"""Settings take what the template sets, and name what is wrong with anything else."""

import pytest

from ses_feedback.contact import Limits
from ses_feedback.policy import AmbiguousComplaint
from ses_feedback.settings import Settings, SettingsError, from_environment

REQUIRED = {"TABLE_NAME": "Contacts"}
EVERYTHING = {
    "TABLE_NAME": "Contacts",
    "QUARANTINE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/Quarantine",
    "LANE": "Complaint",
    "SOFT_BOUNCE_LIMIT": "3",
    "SOFT_BOUNCE_WINDOW_DAYS": "30",
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
        soft_bounce_window_days=90,
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
    assert from_environment(EVERYTHING).limits == Limits(3, 30, list_unsubscribed=True)


def test_the_environment_is_the_process_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being told another, the environment is the one Lambda made."""
    for name, value in EVERYTHING.items():
        monkeypatch.setenv(name, value)
    assert from_environment() == from_environment(EVERYTHING)


def test_an_empty_variable_is_none() -> None:
    """CloudFormation sets an optional parameter nobody gave to an empty string."""
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
    ("SOFT_BOUNCE_WINDOW_DAYS", "0"),
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
        ("SOFT_BOUNCE_WINDOW_DAYS", 1, 3650),
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
