"""Tables of the documents, generated from the code: policy, metrics, parameters and events.

cog inserts them (`make docs`). `make docs-check` fails if a document differs from the code.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ses_feedback.aws.metrics import DIMENSION, LANE_DIMENSION, METRICS, PROVIDER_DIMENSION, STACK_DIMENSION
from ses_feedback.judging.policy import POLICY, Rule
from tools.cloudwatch.published import our_dimensions

ROOT = Path(__file__).parent.parent

# Types with a space: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
_SPACED = {"RenderingFailure": "Rendering Failure"}
_NOTICES = "set-up notices, inbound email, account events"


def policy_table() -> str:
    """Return a table of the policy: the SES event, the verdict, the effect on the contact, and the metric."""
    rows = [
        (_event_of(rule), rule.verdict.value, rule.effect, f"`{rule.metric}`" if rule.metric else "") for rule in POLICY
    ]
    return _table(("SES event", "Verdict", "Effect on the contact", "Metric"), rows)


def metrics_table() -> str:
    """Return a table of every metric, its dimensions and its meaning."""
    rows = [(f"`{name}`", _dimensions_of(name), meaning) for name, meaning in METRICS.items()]
    return _table(("Metric", "By", "Meaning"), rows)


def parameters_table() -> str:
    """Return a table of the parameters of template.yaml and their defaults."""
    template: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader=_TemplateLoader)  # noqa: S506 (a SafeLoader)
    rows = [
        (f"`{name}`", _code(parameter["Default"]), _description_of(parameter))
        for name, parameter in template["Parameters"].items()
    ]
    return _table(("Parameter", "Default", "Description"), rows)


def events_table() -> str:
    """Return a table of the examples in events/: the case, the required result, and the metrics."""
    index: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "events/index.toml").read_text())
    rows = [
        (f"[{name}]({name})", case["shows"], case["expect"], _sums_of(case.get("metrics", {})))
        for name, case in index.items()
    ]
    return _table(("Example", "Case", "Required result", "Metrics"), rows)


class _TemplateLoader(yaml.SafeLoader):
    """A loader that ignores the tags of CloudFormation and keeps the values."""


def _untagged(loader: _TemplateLoader, _suffix: str, node: yaml.Node) -> Any:  # noqa: ANN401 (any YAML value)
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else node.value


_TemplateLoader.add_multi_constructor("!", _untagged)


def _dimensions_of(name: str) -> str:
    """Return the sets of dimensions of a metric, for example `ConfigurationSet`; `Stack`, `Lane` together."""
    order = (DIMENSION, PROVIDER_DIMENSION, STACK_DIMENSION, LANE_DIMENSION)
    sets = [[dimension for dimension in order if dimension in found] for found in our_dimensions(name)]
    return "; ".join(" and ".join(names) for names in sorted(sets, key=lambda names: [order.index(n) for n in names]))


def _event_of(rule: Rule) -> str:
    """Return the events that a rule applies to, if no rule above it does."""
    if rule.kind == "Notice":
        return _NOTICES
    types = " / ".join(", ".join(names) for names in (rule.types, rule.sub_types) if names)
    event = " ".join((_SPACED.get(rule.kind, rule.kind), types)).rstrip()
    if rule.trait:
        return f"{event} ({rule.trait.value})"
    above = POLICY[: POLICY.index(rule)]
    if not rule.sub_types and any(other.kind == rule.kind and rule.types in ((), other.types) for other in above):
        event += " / any other" if types else ", any other"
    return event


def _description_of(parameter: Mapping[str, Any]) -> str:
    """Return the description of a parameter, with the values that it accepts."""
    description = str(parameter["Description"])
    values = parameter.get("AllowedValues", [])
    if 2 < len(values) < 10:  # noqa: PLR2004 (two are true and false, or in the description; more are too many)
        description += f" One of {', '.join(map(_code, values))}."
    if "MinValue" in parameter:
        description += f" From {parameter['MinValue']} to {parameter['MaxValue']}."
    return description


def _sums_of(metrics: Mapping[str, int]) -> str:
    """Return the names of metrics, with their sums if greater than one."""
    return ", ".join(f"{name}{f' ({number})' if number > 1 else ''}" for name, number in metrics.items())


def _code(value: object) -> str:
    return f"`{value}`" if value != "" else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)
