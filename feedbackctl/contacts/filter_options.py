"""Options of the commands that select contacts by conditions."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from feedbackctl.contacts.filters import UNSENDABLE, ContactFilter
from ses_feedback.contacts.status import Status
from ses_feedback.judging.providers import PROVIDERS
from ses_feedback.timestamps import parse_timestamp


class TimeParameter(click.ParamType[datetime]):
    """A UTC time such as `2026-09-07` or `2026-09-07T09:00`."""

    name = "time"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> datetime:  # noqa: ANN401 (click's signature)
        """Return the time, or fail with a usage error."""
        moment = value if isinstance(value, datetime) else parse_timestamp(str(value))
        if moment is None:
            self.fail("this is not a time; write it as 2026-09-07 or 2026-09-07T09:00Z", parameter, context)
        return moment.astimezone(UTC)


_OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option(
        "--status",
        "statuses",
        multiple=True,
        type=click.Choice([status.value for status in Status]),
        help="Only contacts with this status; may be given several times.",
    ),
    click.option("--stream", default="", metavar="NAME", help="Only people who opted out of this stream."),
    click.option("--since", type=TimeParameter(), metavar="TIME", help="Only if the status is from this UTC time on."),
    click.option("--until", type=TimeParameter(), metavar="TIME", help="Only if the status is from before this time."),
    click.option("--domain", default="", metavar="DOMAIN", help="Only addresses of this domain and its subdomains."),
    click.option(
        "--provider",
        default="",
        type=click.Choice(["", *PROVIDERS]),
        metavar="|".join(PROVIDERS),
        help="Only mailboxes of this provider.",
    ),
    click.option(
        "--status-code", default="", metavar="X.Y.Z", help="Only with this status code, or its beginning (5.7)."
    ),
    click.option("--diagnostic", default="", metavar="TEXT", help="Only if the mail server's text contains this."),
    click.option("--configuration-set", default="", metavar="NAME", help="Only for email with this configuration set."),
    click.option("--tag", default="", metavar="NAME[=VALUE]", help="Only for email with this message tag."),
)
_NAMES = ("stream", "since", "until", "domain", "provider", "status_code", "diagnostic", "configuration_set", "tag")


def filter_options(default: tuple[Status, ...] = UNSENDABLE) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of a filter; the command receives `wanted`. `default` are the statuses without `--status`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def with_filter(*args: Any, statuses: tuple[str, ...], **options: Any) -> Any:  # noqa: ANN401 (the command's own)
            conditions = {name: options.pop(name) for name in _NAMES}
            conditions["domain"] = conditions["domain"].lower().removeprefix("@")
            # People who opted out of a stream may be sent other email.
            every = tuple(Status) if conditions["stream"] else default
            chosen = tuple(status for status in Status if status.value in statuses) or every
            return function(*args, wanted=ContactFilter(chosen, **conditions), **options)

        command: Callable[..., Any] = with_filter
        for option in reversed(_OPTIONS):
            command = option(command)
        return command

    return decorate
