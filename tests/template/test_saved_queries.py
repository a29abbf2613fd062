"""The saved Logs Insights queries of template.yaml, against log lines of the functions. No query is run here."""

import json
import re
from typing import Any

import pytest

from tests.support.builders import a_bounce, an_sqs_event
from tests.support.deployed_functions import FakeContext, embedded_stack
from tests.support.faulty_client import fails_with
from tests.support.sam_template import ROOT, stack

RENDERING = ROOT / "events/rendering-failure.json"
WORDS = re.compile(r"@?[a-z][a-z_]*(?:\.[a-z_]+)?(?!\()\b")
COMMANDS = {
    "fields",
    "filter",
    "sort",
    "limit",
    "stats",
    "unnest",
    "display",
    "by",
    "as",
    "and",
    "desc",
    "into",
    "message",
    "line",
    "each",
}
FUNCTIONS = {"ispresent", "count", "max", "sum", "json"}


def queries() -> dict[str, dict[str, Any]]:
    """Return the saved queries."""
    return stack().of_type("AWS::Logs::QueryDefinition")


def line_fields(capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Return the fields of the log lines for a batch, an exceptional record and a rendering failure."""
    with embedded_stack() as embedded:
        embedded.feedback()(json.loads(RENDERING.read_text()), FakeContext())
        embedded.feedback()(an_sqs_event(a_bounce()), FakeContext())
        embedded.dynamodb.only, embedded.dynamodb.default_fault = "batch_get_item", fails_with("AccessDenied")
        embedded.feedback()(an_sqs_event(a_bounce()), FakeContext())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    logged = [line for line in lines if "_aws" not in line]
    nested = {f"each.{name}" for line in logged for each in line.get("diagnostics", []) for name in each}
    return {name for line in logged for name in line} | nested


def test_the_queries_have_the_documented_names() -> None:
    document = (ROOT / "docs/operate/metrics.md").read_text()
    names = [query["Name"].removeprefix("${AWS::StackName}/") for query in queries().values()]
    assert len(names) == 4
    assert [name for name in names if f"*{name}*" not in document] == []


@pytest.mark.parametrize("name", sorted(queries()))
def test_a_query_reads_the_logs_of_the_lanes(name: str) -> None:
    assert queries()[name]["LogGroupNames"] == ["${BounceLog}", "${ComplaintLog}", "${DeliveryLog}"]


def test_a_query_uses_only_fields_that_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logged = line_fields(capsys) | {"@timestamp", "line.diagnostics", "@message"}
    for name, query in queries().items():
        text = re.sub(r'"[^"]*"', "", query["QueryString"])
        defined = set(re.findall(r"\bas (\w+)", text))
        used = set(WORDS.findall(text)) - COMMANDS - FUNCTIONS - defined
        # `retry` is a field only of batches that have one, and `sort` may use a defined name.
        assert (name, used - logged) == (name, set())
        assert used & logged != set()
