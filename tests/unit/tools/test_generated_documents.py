"""The documents' tables tell of every rule, metric, parameter and event there is."""

import re
import tomllib
from pathlib import Path

import pytest

from ses_feedback.aws.metrics import METRICS
from ses_feedback.judging.policy import POLICY
from tests.support.sam_template import template
from tools import generated_documents

ROOT = Path(__file__).parents[3]


def rows(table: str) -> list[list[str]]:
    """Return the rows of a Markdown table, without its head."""
    return [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in table.splitlines()[2:]]


def test_the_policy_has_a_row_for_every_rule() -> None:
    """In the order in which the rules are tried, and no two rows fit the same words."""
    table = rows(generated_documents.policy_table())
    assert [row[1] for row in table] == [rule.verdict.value for rule in POLICY]
    assert len({row[0] for row in table}) == len(POLICY)


@pytest.mark.parametrize(
    "row",
    [
        "Bounce Permanent / OnAccountSuppressionList | ECHO",
        "Bounce Permanent / any other | SUPPRESS",
        "Bounce Transient / General (recipient has no action, status or diagnosticCode) | NOTE",
        "Bounce Undetermined | NOTE",
        "Bounce, any other | NOTE",
        "Complaint not-spam, auth-failure | NOTE",
        "Complaint (names several recipients) | UNSUBSCRIBE",
        "Complaint, any other | COMPLAIN",
        "Delivery | DELIVERED",
        "Rendering Failure | COUNT",
        "set-up notices, inbound mail, account events | IGNORE",
    ],
)
def test_a_row_of_the_policy_says_what_its_rule_fits(row: str) -> None:
    """In SES's words; what is left over by the rows above is any other."""
    assert f"| {row} |" in generated_documents.policy_table()


def test_every_metric_is_documented() -> None:
    """By its name and what it says."""
    assert rows(generated_documents.metrics_table()) == [[f"`{name}`", says] for name, says in METRICS.items()]


def test_every_parameter_is_documented() -> None:
    """With its default, and what it takes."""
    table = {row[0].strip("`"): row[1:] for row in rows(generated_documents.parameters_table())}
    assert list(table) == list(template()["Parameters"])
    assert table["SoftBounceLimit"][0] == "`5`"
    assert table["SoftBounceLimit"][1].endswith("From 1 to 30.")
    assert table["ExistingConfigurationSet"][0] == ""
    assert table["Volume"][1].endswith("One of `small`, `medium`, `large`.")


def test_every_event_is_documented() -> None:
    """With a link, what it shows, what must come of it, and what is counted."""
    table = rows(generated_documents.events_table())
    index = tomllib.loads((ROOT / "events/index.toml").read_text())
    assert [re.sub(r"\[(.*)\]\(\1\)", r"\1", row[0]) for row in table] == list(index)
    counted = {row[0].split("]")[0][1:]: row[3] for row in table}
    assert counted["bounce-permanent-several-recipients.json"] == "PermanentBounce (2), ContactSuppressed (2)"


def test_a_bar_in_a_cell_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Markdown would take it for the next cell's beginning."""
    monkeypatch.setattr(generated_documents, "METRICS", {"Either": "one|other"})
    assert "| `Either` | one&#124;other |" in generated_documents.metrics_table()
