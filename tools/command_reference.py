"""Reference of the operator commands, generated from the commands themselves.

cog inserts it into docs/operate/feedbackctl.md (`make docs`). `make docs-check` fails if the document differs.
"""

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module

import click

from feedbackctl.__main__ import main
from feedbackctl.contacts.view import FIELDS
from feedbackctl.permissions import COMMANDS
from feedbackctl.suppression_files.formats import FORMATS
from feedbackctl.suppression_files.formats.columns import WORDS
from feedbackctl.suppression_files.model import Kind

_WIDTH = 100
_LOCAL = frozenset({"local", "demo"})
"""Commands of the AWS emulation, which docs/operate/local.md describes."""


def commands() -> str:
    """Return a section for each command: its help, its JSON fields and its IAM actions."""
    return "\n".join(_section(words, command) for words, command in _walk((), main))


def contact_fields() -> str:
    """Return a table of the fields of a contact."""
    return _field_table(FIELDS)


def import_formats() -> str:
    """Return a table of the formats that `contact import` recognizes."""
    rows = [
        f"| `{one.name}` | {one.title} | {', '.join(sorted(one.required))} | [documentation]({one.url}) |"
        for one in FORMATS
    ]
    return "\n".join(["| format | content | recognized by | |", "|---|---|---|---|", *rows, ""])


def import_words() -> str:
    """Return a table of the words in a column of reasons."""
    words = {kind: [word for word, its_kind in WORDS.items() if its_kind is kind] for kind in Kind}
    rows = [f"| {kind.value} | {', '.join(found)} |" for kind, found in words.items() if found]
    return "\n".join(["| kind | words, in any case and with any separator |", "|---|---|", *rows, ""])


def _walk(words: tuple[str, ...], group: click.Group) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or (not words and name in _LOCAL):
            continue
        if isinstance(command, click.Group):
            yield from _walk((*words, name), command)
        else:
            yield (*words, name), command


def _section(words: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=" ".join(("feedbackctl", *words)), max_content_width=_WIDTH)
    context.terminal_width = _WIDTH
    parts = [f"### {' '.join(words)}", "", "```text", command.get_help(context).rstrip(), "```", ""]
    fields = _json_fields(command)
    if fields:
        parts += ["Fields of the JSON object, beside `version`:", "", _field_table(fields)]
    declared = COMMANDS.get(" ".join(words))
    if declared:
        actions = ", ".join(sorted({f"`{permission.action}`" for permission in declared.permissions}))
        parts += [f"IAM: {actions}.", ""]
    return "\n".join(parts)


def _json_fields(command: click.Command) -> Mapping[str, str]:
    """Return the documented fields of a command's module, if the command has `--json`."""
    if not any("--json" in parameter.opts for parameter in command.params) or command.callback is None:
        return {}
    function = command.callback
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    fields: Mapping[str, str] = getattr(import_module(function.__module__), "JSON_FIELDS", {})
    return fields


def _field_table(fields: Mapping[str, str]) -> str:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in fields.items()]
    return "\n".join(["| field | meaning |", "| --- | --- |", *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(commands())
