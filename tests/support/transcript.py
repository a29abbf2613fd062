"""Output of commands as one text that can be compared with a file: times of this run and random ids are replaced."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.support.operated_stack import OperatedStack

_OPERATION = re.compile(r"\b20\d{6}-[0-9a-f]{8}\b")
_MESSAGE = re.compile(r"(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_TIME = re.compile(r"\b(20\d\d)-(\d\d)-(\d\d)T\d\d:\d\d:\d\d\.\d{3}Z")
_DATE = re.compile(r"\b20\d\d-\d\d-\d\d\b")
_POLICY = "2012-10-17"
"""The version of the policy language, which has the form of a date."""
_BUILDERS = "2026-03-0"
"""Days of the feedback that the builders return; these times are kept."""


def transcript(
    stack: OperatedStack, commands: Iterable[tuple[str, ...]], names: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Run the commands one after the other, and return them with their output and exit codes.

    An argument that `names` contains stands for its value.
    """
    return "\n".join(_run(stack, arguments, names) for arguments in commands)


def compare_with_file(text: str, path: Path, request: pytest.FixtureRequest) -> None:
    """Assert that the text has no control characters and is that of the file. `--update-golden` writes the file."""
    assert all(one.isprintable() or one == "\n" for one in text)
    if request.config.getoption("--update-golden"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def _run(stack: OperatedStack, arguments: tuple[str, ...], names: Mapping[str, str]) -> str:
    latest = stack.aws.client("dynamodb").query(
        TableName=stack.aws.table_name,
        KeyConditionExpression="address = :address",
        ExpressionAttributeValues={":address": {"S": "operations"}},
    )["Items"]
    operation = latest[-1]["record"]["S"].removeprefix("operation#") if latest else ""
    result = stack.run(*(names.get(argument, argument.replace("OPERATION", operation)) for argument in arguments))
    words = " ".join(f"'{argument}'" if " " in argument else argument for argument in arguments)
    text = f"$ feedbackctl {words}\n{result.stdout}"
    if result.stderr:
        text += f"--- standard error\n{result.stderr}"
    return _normalize(f"{text}--- exit code {result.exit_code}\n")


def _normalize(text: str) -> str:
    text = _OPERATION.sub("OPERATION        ", text)
    text = _MESSAGE.sub("MESSAGE                             ", text)
    text = _TIME.sub(lambda found: found[0] if found[0].startswith(_BUILDERS) else "TIME                    ", text)
    text = _DATE.sub(lambda found: found[0] if found[0].startswith((_BUILDERS, _POLICY)) else "DATE      ", text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())
