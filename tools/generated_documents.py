"""The tables in README.md and events/README.md, made from what they tell about.

cog runs these (`make docs`), and `make test` fails when a document no longer says what they say.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ses_feedback.aws.metrics import METRICS
from ses_feedback.judging.policy import POLICY, Rule

ROOT = Path(__file__).parent.parent

# As SES spells it.
_SPACED = {"RenderingFailure": "Rendering Failure"}
_NOTICES = "set-up notices, inbound mail, account events"


def policy_table() -> str:
    """Return the policy: what SES says, the verdict, and what that does to the contact."""
    rows = [
        (_says(rule), rule.verdict.value, rule.effect, f"`{rule.metric}`" if rule.metric else "") for rule in POLICY
    ]
    return _table(("SES says", "Verdict", "On the contact", "Counted as"), rows)


def metrics_table() -> str:
    """Return every metric and what it says."""
    return _table(("Metric", "Says"), [(f"`{name}`", says) for name, says in METRICS.items()])


def parameters_table() -> str:
    """Return the parameters of template.yaml."""
    # BaseLoader: every value as it is written, and CloudFormation's own tags left alone.
    template: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Template)  # noqa: S506 (a SafeLoader)
    rows = [
        (f"`{name}`", _code(parameter["Default"]), _takes(parameter))
        for name, parameter in template["Parameters"].items()
    ]
    return _table(("Parameter", "Default", "What it decides"), rows)


def events_table() -> str:
    """Return the events in events/: what each shows, what must come of it, and what was counted."""
    index: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "events/index.toml").read_text())
    rows = [
        (f"[{name}]({name})", case["shows"], case["expect"], _counted(case.get("metrics", {})))
        for name, case in index.items()
    ]
    return _table(("Event", "Shows", "What must come of it", "Counted"), rows)


class _Template(yaml.SafeLoader):
    """A loader that reads CloudFormation's tags as what they are put on."""


def _untagged(loader: _Template, _suffix: str, node: yaml.Node) -> Any:  # noqa: ANN401 (whatever YAML holds)
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else node.value


_Template.add_multi_constructor("!", _untagged)


def _says(rule: Rule) -> str:
    """Return what a rule fits, given that those above it do not."""
    if rule.kind == "Notice":
        return _NOTICES
    named = " / ".join(", ".join(names) for names in (rule.types, rule.sub_types) if names)
    said = " ".join((_SPACED.get(rule.kind, rule.kind), named)).rstrip()
    if rule.trait:
        return f"{said} ({rule.trait.value})"
    above = POLICY[: POLICY.index(rule)]
    if not rule.sub_types and any(other.kind == rule.kind and rule.types in ((), other.types) for other in above):
        said += " / any other" if named else ", any other"
    return said


def _takes(parameter: dict[str, Any]) -> str:
    said = str(parameter["Description"])
    values = parameter.get("AllowedValues", [])
    if 2 < len(values) < 10:  # noqa: PLR2004 (two are true and false, or in the description; more are too many)
        said += f" One of {', '.join(map(_code, values))}."
    if "MinValue" in parameter:
        said += f" From {parameter['MinValue']} to {parameter['MaxValue']}."
    return said


def _counted(metrics: Mapping[str, int]) -> str:
    """Return the metrics of an event, with their sums if greater than one."""
    return ", ".join(f"{name}{f' ({number})' if number > 1 else ''}" for name, number in metrics.items())


def _code(value: object) -> str:
    return f"`{value}`" if value != "" else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)
