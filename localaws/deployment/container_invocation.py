"""The files that `sam local invoke --config-env local` needs to invoke a function against the deployed stack.

A container cannot resolve `!Ref ContactsTable`, so `.local/env.json` has the variables of each function as deployed.
The SAM CLI passes only variables that the template declares, so `.local/invoke.yaml` is a copy of the built template
that also declares the endpoint:
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-invoke.html
"""

import json
from pathlib import Path

from localaws.deployment.deployed_stack import DeployedStack
from localaws.deployment.server_process import LocalAws

_IMAGE_DIRECTORY = Path(".local") / "image"
"""The build directory of `sam build --config-env local` in samconfig.toml, for Lambda's own image."""


def write_invocation_files(local_aws: LocalAws, stack: DeployedStack, built: Path) -> None:
    """Write `.local/env.json` and `.local/invoke.yaml`. `built` is the built template."""
    endpoint = {"AWS_ENDPOINT_URL": f"http://host.docker.internal:{stack.server.port}"}
    variables = {}
    for output, name in stack.outputs.items():
        if output.endswith("FunctionName"):
            configuration = stack.client("lambda").get_function_configuration(FunctionName=name)
            variables[output.removesuffix("Name")] = {**configuration["Environment"]["Variables"], **endpoint}
    directory = local_aws.root / ".local"
    (directory / "env.json").write_text(json.dumps(variables, indent=2))
    template = built.read_text().replace("      Variables:\n", "      Variables:\n        AWS_ENDPOINT_URL: ''\n", 1)
    # The image has its own Python, so it uses its own build, not the one for the emulator.
    (directory / "invoke.yaml").write_text(template.replace("CodeUri: ", f"CodeUri: {_IMAGE_DIRECTORY.name}/"))
