"""Commands of the AWS CLI, as text for a POSIX shell.

A remedy creates, enables or widens. No remedy deletes a resource, a message or a contact.
"""

import json
import shlex
from collections.abc import Mapping
from typing import Any

_OPTION_NAMES = {("sns", "subscribe", "endpoint"): "notification-endpoint"}
"""Options that the AWS CLI renames: https://docs.aws.amazon.com/cli/latest/reference/sns/subscribe.html"""


def aws_command(service: str, operation: str, region: str, /, *arguments: str, **options: Any) -> str:  # noqa: ANN401 (JSON)
    """Return the command of an operation, with its Region. `arguments` are those without an option.

    Names use underscores. A boolean becomes `--name` or `--no-name`, a list of texts several arguments, and another
    structure JSON: https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-types.html
    """
    words = ["aws", service, operation, *arguments]
    for name, value in options.items():
        if value is not None:
            words += _to_arguments(_OPTION_NAMES.get((service, operation, name), name.replace("_", "-")), value)
    return shlex.join([*words, "--region", region])


def to_json(document: object) -> str:
    """Return compact JSON."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True)


def _to_arguments(option: str, value: Any) -> list[str]:  # noqa: ANN401 (JSON)
    match value:
        case bool():
            return [f"--{option}" if value else f"--no-{option}"]
        case list() | tuple() if all(isinstance(each, str) for each in value):
            return [f"--{option}", *value]
        case Mapping() | list() | tuple():
            return [f"--{option}", to_json(value)]
    return [f"--{option}", str(value)]
