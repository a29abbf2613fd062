"""An interpreter of AWS CLI commands, as far as remedies use them: `aws SERVICE OPERATION --option value …`.

Names and types come from botocore's models, so a command with an unknown operation or option fails:
https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-types.html
"""

import json
import os
import shlex
import sys
from collections.abc import Callable
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name

_SERVICES = {"s3api": "s3"}
_RENAMED = {("sns", "subscribe"): {"notification-endpoint": "endpoint"}}
_IGNORED = {"cli-binary-format", "query", "output"}


def run_command(command: str, create_client: Callable[[str], Any], region: str) -> Any:  # noqa: ANN401 (JSON)
    """Execute a command in `region`, and return the response.

    Raises:
        AssertionError: the command is not one of the AWS CLI, or is for another Region.

    """
    program, service, operation, *words = shlex.split(command)
    assert program == "aws", command
    client = create_client(_SERVICES.get(service, service))
    if operation == "wait":
        return _wait(client, words)
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


def _wait(client: Any, words: list[str]) -> None:  # noqa: ANN401 (botocore's client)
    """Execute `aws SERVICE wait STATE`, whose options are all texts."""
    waiter = client.get_waiter(words[0].replace("-", "_"))
    options = _group_options(words[1:]).items()
    members = {
        xform_name(name, "-"): name
        for name in client.meta.service_model.operation_model(waiter.config.operation).input_shape.members
    }
    waiter.wait(**{members[option]: values[0] for option, values in options}, WaiterConfig={"Delay": 1})


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
        case "list" if shape.member.type_name == "structure" and not values[0].startswith("["):
            # https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html
            return [dict(pair.split("=", 1) for pair in value.split(",")) for value in values]
        case "structure" | "map" | "list":
            return json.loads(values[0])
        case "blob":
            return values[0].encode()
    return values[0]


def main() -> None:
    """Execute the command in the arguments, as the program `aws` does, and print the response as JSON or text."""
    words = sys.argv[1:]
    session = botocore.session.Session()
    response = run_command(shlex.join(["aws", *words]), session.create_client, os.environ["AWS_REGION"])
    # Times are text in the AWS CLI, also in --query.
    response = json.loads(json.dumps(response, default=lambda value: value.isoformat()))
    response.pop("ResponseMetadata")
    options = _group_options(words)
    found = jmespath.search(options["query"][0], response) if "query" in options else response
    print(_as_text(found) if options.get("output") == ["text"] else json.dumps(found))  # noqa: T201 (its purpose)


def _as_text(found: Any) -> str:  # noqa: ANN401 (JSON)
    if not isinstance(found, list):
        return str(found)
    return "\n".join("\t".join(map(str, row)) if isinstance(row, list) else str(row) for row in found)


if __name__ == "__main__":
    main()
