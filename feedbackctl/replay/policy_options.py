"""Options of a replay for the parameters of a stack: one for each setting of the functions that names no resource."""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from enum import Enum
from typing import Any, NamedTuple, TypeVar

import click

from ses_feedback.judging.policy import AmbiguousComplaint
from ses_feedback.settings import DELIVERIES_BY, Settings, SettingsError, from_environment

_Function = TypeVar("_Function", bound=Callable[..., Any])

RESOURCES = frozenset(
    {
        "table_name",
        "quarantine_queue_url",
        "lane",
        "event_bus_name",
        "import_bucket",
        "delivery_bucket",
        "stack_name",
        "stack_id",
    }
)
"""Settings that name a resource of the stack. A replay has resources of its own."""
WITHOUT_EFFECT = frozenset({"suppression_backlog_hours"})
"""Settings without effect in a replay, which has no bucket for import jobs."""


class _Description(NamedTuple):
    """The help of an option, and the placeholder of its value (empty: a flag or a choice)."""

    help: str
    metavar: str = ""


_DESCRIPTIONS = {
    "soft_bounce_limit": _Description("Number of days with a soft bounce that suspends a contact.", "DAYS"),
    "soft_bounce_window_days": _Description(
        "Length of the period that contains these days. 0 means 365, or 60 with --deliveries-by=None.", "DAYS"
    ),
    "suspension_days": _Description("Days after which a suspension ends. 0 means never.", "DAYS"),
    "list_suspended": _Description("Add suspended contacts to the suppression list."),
    "deliveries_by": _Description("The path for deliveries. With None, soft bounces are judged without them."),
    "streams": _Description("Streams that a person can opt out of, separated by commas.", "NAMES"),
    "ambiguous_complaint": _Description("Effect of a complaint that names several recipients."),
    "history_days": _Description("Days for which the history of a contact is kept.", "DAYS"),
    "metric_configuration_sets": _Description(
        "Configuration sets with separate metrics, separated by commas.", "NAMES"
    ),
    "suppression_rate": _Description("Calls a second to the suppression list.", "NUMBER"),
    "suppress_unsubscribed": _Description("Add unsubscribed contacts to the suppression list."),
}
_CHOICES = {"deliveries_by": DELIVERIES_BY, "ambiguous_complaint": tuple(AmbiguousComplaint)}


def option_names() -> tuple[str, ...]:
    """Return the settings that are options, in their order."""
    return tuple(field.name for field in _settings())


def policy_options(function: _Function) -> _Function:
    """Add an option for each setting; the command receives them as keyword arguments that `Settings` takes.

    Defaults and valid values are those of the settings.
    """
    for field in reversed(_settings()):
        function = _option(field)(function)
    return function


def _settings() -> list[Field[Any]]:
    return [field for field in fields(Settings) if field.name not in RESOURCES | WITHOUT_EFFECT]


def _option(field: Field[Any]) -> Callable[[_Function], _Function]:
    # Each new setting needs a description: this fails as soon as the command is imported.
    summary, metavar = _DESCRIPTIONS[field.name]
    name = f"--{field.name.replace('_', '-')}"
    default = () if field.default is MISSING else field.default  # an empty tuple has a factory
    if isinstance(default, bool):
        return click.option(name, is_flag=True, default=default, help=summary)
    choices = _CHOICES.get(field.name)
    shown = default.value if isinstance(default, Enum) else ",".join(default) if isinstance(default, tuple) else default
    return click.option(
        name,
        type=click.Choice([str(choice) for choice in choices]) if choices else str,
        callback=_parse,
        metavar=metavar or None,
        default=str(shown),
        show_default=bool(str(shown)),
        help=summary,
    )


def _parse(_context: click.Context, parameter: click.Parameter, text: str) -> Any:  # noqa: ANN401 (the setting's type)
    """Return the value of a setting, read as the functions read it."""
    name = str(parameter.name)
    try:
        return getattr(from_environment({"TABLE_NAME": "replay", name.upper(): text}), name)
    except SettingsError as error:
        raise click.BadParameter(f"it must be {error.valid}") from None
