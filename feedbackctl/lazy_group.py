"""A click group that imports a command only to run it, so that `--help` is fast."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click


class LazyCommand(NamedTuple):
    """A command as `module:attribute`, and the summary that the group's help shows."""

    target: str
    summary: str

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


class LazyGroup(click.Group):
    """A group of lazy commands."""

    def __init__(self, *args: Any, lazy_commands: Mapping[str, LazyCommand], **kwargs: Any) -> None:  # noqa: ANN401 (click's own arguments)
        """Add `lazy_commands` by name; help lists them in this order."""
        super().__init__(*args, **kwargs)
        self._lazy_commands = lazy_commands

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self._lazy_commands)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Return the command, or None if there is none of this name."""
        return self._lazy_commands[name].load() if name in self._lazy_commands else None

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names and summaries, without an import of the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in self._lazy_commands.items()])
