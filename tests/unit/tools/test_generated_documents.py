"""The generated tables have a row for every rule, metric, parameter and example."""

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


def test_policy_table_has_one_distinct_row_for_each_rule_in_order() -> None:
    table = rows(generated_documents.policy_table())
    assert [row[1] for row in table] == [rule.verdict.value for rule in POLICY]
    assert len({row[0] for row in table}) == len(POLICY)


@pytest.mark.parametrize(
    "row",
    [
        "Bounce Permanent / OnAccountSuppressionList | ECHO",
        "Bounce Permanent / any other | SUPPRESS",
        "Bounce Transient / General (recipient has no action and no status) | NOTE",
        "Bounce Undetermined | NOTE",
        "Bounce, any other | NOTE",
        "Complaint not-spam, auth-failure | NOTE",
        "Complaint (names several recipients) | UNSUBSCRIBE",
        "Complaint, any other | COMPLAIN",
        "Delivery | DELIVERED",
        "Rendering Failure | COUNT",
        "set-up notices, inbound email, account events | IGNORE",
    ],
)
def test_policy_row_names_the_events_that_no_row_above_covers(row: str) -> None:
    assert f"| {row} |" in generated_documents.policy_table()


def test_metrics_table_has_every_metric_with_its_dimensions_and_its_meaning() -> None:
    table = rows(generated_documents.metrics_table())
    assert [[name, meaning] for name, _, meaning in table] == [[f"`{name}`", text] for name, text in METRICS.items()]
    dimensions = {name.strip("`"): by for name, by, _ in table}
    assert dimensions["Delivery"] == "ConfigurationSet"
    assert dimensions["DeliveryDelay"] == "ConfigurationSet; Provider"
    assert dimensions["Retried"] == "Stack; Stack and Lane"


def test_parameters_table_has_every_parameter_with_default_and_accepted_values() -> None:
    table = {row[0].strip("`"): row[1:] for row in rows(generated_documents.parameters_table())}
    assert list(table) == list(template()["Parameters"])
    assert table["SoftBounceLimit"][0] == "`5`"
    assert table["SoftBounceLimit"][1].endswith("From 1 to 30.")
    assert table["ExistingConfigurationSet"][0] == ""
    assert table["Volume"][1].endswith("One of `small`, `medium`, `large`.")


def test_events_table_has_every_example_with_a_link_and_its_metrics() -> None:
    table = rows(generated_documents.events_table())
    index = tomllib.loads((ROOT / "events/index.toml").read_text())
    assert [re.sub(r"\[(.*)\]\(\1\)", r"\1", row[0]) for row in table] == list(index)
    metrics = {row[0].split("]")[0][1:]: row[3] for row in table}
    assert metrics["bounce-permanent-several-recipients.json"] == "PermanentBounce (2), ContactSuppressed (2)"


def test_vertical_bar_in_a_cell_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated_documents, "METRICS", {"Either": "one|other"})
    assert "| `Either` | ConfigurationSet | one&#124;other |" in generated_documents.metrics_table()
