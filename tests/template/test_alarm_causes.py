"""Each alarm of template.yaml has a cause on the deployed stack, or is listed as one that only AWS can raise."""

import re

from tests.e2e.alarm_causes import CAUSES
from tests.support.sam_template import BOTH_PATHS, ROOT, stack

PAGE = ROOT / "docs/operate/local.md"


def listed_alarms() -> list[str]:
    """Return the alarms in the table of docs/operate/local.md."""
    section = PAGE.read_text().split("### Alarms that only AWS can raise")[1].split("\n### ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_each_alarm_is_caused_by_a_test_or_listed_with_its_reason() -> None:
    alarms = {
        name for path in BOTH_PATHS for name in stack(**path, AccountSilence="true").of_type("AWS::CloudWatch::Alarm")
    }
    caused = [name for cause in CAUSES for name in cause.alarms]
    assert sorted([*caused, *listed_alarms()]) == sorted(alarms)


def test_an_alarm_with_its_own_threshold_and_one_period_is_also_evaluated_by_the_local_cloudwatch() -> None:
    elsewhere = {"AccountSilent", "AccountUnknown"}  # The file with the causes has the reasons.
    by_evaluator = {
        name for cause in CAUSES if not cause.evaluated_by_cloudwatch for name in cause.alarms if not cause.changed
    }
    properties = stack(AccountSilence="true").properties
    assert {name for name in by_evaluator if int(properties(name)["EvaluationPeriods"]) == 1} | elsewhere == elsewhere
