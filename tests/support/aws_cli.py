"""An interpreter of AWS CLI commands, as far as remedies use them: `aws SERVICE OPERATION --option value …`.

Names and types come from botocore's models, so a command with an unknown operation or option fails:
https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-types.html
"""

import json
import shlex
from collections.abc import Callable
from typing import Any

from botocore import xform_name

_SERVICES = {"s3api": "s3"}
_RENAMED = {("sns", "subscribe"): {"notification-endpoint": "endpoint"}}
_IGNORED = {"cli-binary-format", "query"}


def run_command(command: str, create_client: Callable[[str], Any], region: str) -> Any:  # noqa: ANN401 (JSON)
    """Execute a command in `region`, and return the response.

    Raises:
        AssertionError: the command is not one of the AWS CLI, or is for another Region.

    """
    program, service, operation, *words = shlex.split(command)
    assert program == "aws", command
    client = create_client(_SERVICES.get(service, service))
    method = operation.replace("-", "_")
    assert method in client.meta.method_to_api_mapping, command
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    members = {xform_name(name, "-"): (name, shape) for name, shape in model.input_shape.members.items()}
    request: dict[str, Any] = {}
    for option, values in _group_options(words).items():
        renamed = _RENAMED.get((service, operation), {}).get(option, option)
        if option == "region":
            assert values == [region], command
        elif option == "cli-input-json":
            request |= json.loads(values[0])
        elif option not in _IGNORED:
            negated = renamed.startswith("no-") and renamed not in members
            name, shape = members[renamed.removeprefix("no-") if negated else renamed]
            request[name] = _convert(shape, values, negated=negated)
    return getattr(client, method)(**request)


def _group_options(words: list[str]) -> dict[str, list[str]]:
    """Return the values of each option. The arguments before, such as the file of `lambda invoke`, are left out."""
    options: dict[str, list[str]] = {}
    current: list[str] = []
    for word in words:
        if word.startswith("--"):
            current = options.setdefault(word.removeprefix("--"), [])
        else:
            current.append(word)
    return options


def _convert(shape: Any, values: list[str], *, negated: bool) -> Any:  # noqa: ANN401 (botocore's shape, JSON)
    match shape.type_name:
        case "boolean":
            return not negated
        case "integer" | "long":
            return int(values[0])
        case "list" if shape.member.type_name == "string" and not values[0].startswith("["):
            return values
        case "structure" | "map" | "list":
            return json.loads(values[0])
        case "blob":
            return values[0].encode()
    return values[0]
