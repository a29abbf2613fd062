"""The very template, built and deployed to the local AWS, and what came of it."""

import json
import os
import platform
import subprocess
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from localaws.served.process import Local, LocalError, Running

STACK = "ses-feedback"
_BUILD = Path(".local") / "build"
"""Apart from `.aws-sam`, from which `sam deploy` deploys to AWS: the package here is for this machine's Python."""
_IMAGE = Path(".local") / "image"
"""Where `sam build --config-env local` builds for Lambda's own image, as samconfig.toml says."""
_NOT_OURS = ("AWS_", "MAKE", "MFLAGS")
"""How the variables begin that sam is not to have: whose AWS it is, and what `make demo` itself was told."""


class Stack:
    """A stack deployed to the local AWS; its outputs by their names."""

    def __init__(self, running: Running, name: str = STACK) -> None:
        """Find the stack.

        Raises:
            LocalError: there is no such stack.

        """
        self.running = running
        self.name = name
        self._clients: dict[str, Any] = {}
        self._session = botocore.session.Session()
        try:
            found = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except self.client("cloudformation").exceptions.ClientError as error:
            raise LocalError(f"There is no stack {name} here. Deploy it with: feedbackctl local deploy") from error
        self.outputs: dict[str, str] = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}

    def client(self, service: str) -> Any:  # noqa: ANN401 (botocore makes the class at run time)
        """Return a client of the local AWS with the root's keys; SES is asked as often as it takes."""
        if service not in self._clients:
            self._clients[service] = client(self.running, service, self._session)
        return self._clients[service]

    def contacts(self) -> dict[str, dict[str, Any]]:
        """Return the contact items by address, as DynamoDB's typed JSON."""
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.outputs["ContactsTableName"],
                FilterExpression="#record = :contact",
                ExpressionAttributeNames={"#record": "record"},
                ExpressionAttributeValues={":contact": {"S": "contact"}},
                ConsistentRead=True,
            )
        )
        return {item["address"]["S"]: item for page in pages for item in page["Items"]}

    def suppressed(self) -> list[dict[str, Any]]:
        """Return the account's suppression list; SES is asked as often as its one call a second takes."""
        ses, found = self.client("sesv2"), []
        token: dict[str, str] = {}
        while True:
            page = ses.list_suppressed_destinations(**token)
            found += page["SuppressedDestinationSummaries"]
            if "NextToken" not in page:
                return found
            token = {"NextToken": page["NextToken"]}

    def resources(self) -> dict[str, str]:
        """Return the physical ids of the stack's resources by logical id."""
        found = self.client("cloudformation").describe_stack_resources(StackName=self.name)["StackResources"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}

    def verify_sender(self) -> None:
        """Let SES send as example.com."""
        ses = self.client("sesv2")
        try:
            ses.create_email_identity(EmailIdentity="example.com")
        except ses.exceptions.AlreadyExistsException:
            return

    def send(self, *recipients: str, subject: str = "Hello", configuration_set: str | None = None) -> str:
        """Send one mail to all of them; return its message id."""
        chosen = self.outputs["ConfigurationSetName"] if configuration_set is None else configuration_set
        sent = self.client("sesv2").send_email(
            FromEmailAddress="news@example.com",
            Destination={"ToAddresses": list(recipients)},
            Content={"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": "Hello"}}}},
            **({"ConfigurationSetName": chosen} if chosen else {}),
        )
        return str(sent["MessageId"])


def client(running: Running, service: str, session: botocore.session.Session | None = None) -> Any:  # noqa: ANN401
    """Return a client of the local AWS with the root's keys."""
    environment = running.environment
    return (session or botocore.session.Session()).create_client(
        service,
        region_name=environment["AWS_REGION"],
        endpoint_url=running.url,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"mode": "standard", "total_max_attempts": 8}, read_timeout=120),
    )


def build(local: Local, tell: Callable[[str], None] = lambda _: None) -> Path:
    """Run `sam build` for the emulator's Python, unless nothing has changed since; return the built template.

    Raises:
        LocalError: it failed.

    """
    directory = _BUILD / local.python_version
    built = local.root / directory / "template.yaml"
    sources = [local.root / "template.yaml", local.root / "samconfig.toml", *(local.root / "src").rglob("*[!c]")]
    if built.exists() and all(one.stat().st_mtime < built.stat().st_mtime for one in sources if one.is_file()):
        tell("Nothing has changed since the last sam build.")
    else:
        # Makefile of src/: the version to build for, and what to build with.
        chosen = {"SES_FEEDBACK_PYTHON": local.python_version, "PYTHON": str(local.python)}
        _sam(
            local,
            ["build", "--build-dir", str(directory), *_overrides(local, ())],
            chosen,
            tell,
        )
    return built


def deploy(
    local: Local,
    running: Running,
    *,
    name: str = STACK,
    parameters: Iterable[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> Stack:
    """Run `sam build` and `sam deploy`, with the stage's parameters and these (`Name=value`) over them.

    Raises:
        LocalError: one of them failed.

    """
    built = build(local, tell)
    chosen = ["--template-file", str(built), "--stack-name", name, *_overrides(local, parameters)]
    _sam(local, ["deploy", *chosen], running.environment, tell)
    deployed = Stack(running, name)
    if name == STACK:
        _prepare_to_invoke(local, deployed, built)
    return deployed


def _prepare_to_invoke(local: Local, deployed: Stack, built: Path) -> None:
    """Write what `sam local invoke --config-env local` needs to invoke functions against this deployment.

    In a container `!Ref ContactsTable` is just that, so each function's variables are written down as deployed. And the
    SAM CLI passes on only variables that the template names, so a copy of the built one names the endpoint too.
    """
    endpoint = {"AWS_ENDPOINT_URL": f"http://host.docker.internal:{deployed.running.port}"}
    variables = {}
    for output, name in deployed.outputs.items():
        if output.endswith("FunctionName"):
            found = deployed.client("lambda").get_function_configuration(FunctionName=name)
            variables[output.removesuffix("Name")] = {**found["Environment"]["Variables"], **endpoint}
    home = local.root / ".local"
    (home / "env.json").write_text(json.dumps(variables, indent=2))
    declared = built.read_text().replace("      Variables:\n", "      Variables:\n        AWS_ENDPOINT_URL: ''\n", 1)
    # Not the package built for the emulator: the image has a Python of its own.
    moved = declared.replace("CodeUri: ", f"CodeUri: {_IMAGE.name}/")
    (home / "invoke.yaml").write_text(moved)


def delete(local: Local, running: Running, *, name: str = STACK, tell: Callable[[str], None] = lambda _: None) -> None:
    """Run `sam delete`.

    Raises:
        LocalError: it failed.

    """
    arguments = ["delete", "--stack-name", name, "--no-prompts"]
    _sam(local, [*arguments, "--region", running.environment["AWS_REGION"]], running.environment, tell)


def _overrides(local: Local, parameters: Iterable[str]) -> list[str]:
    """Return the option that gives the stage's parameters, this machine's processor, and `parameters`."""
    stage = tomllib.loads((local.root / "samconfig.toml").read_text())["local"]["global"]["parameters"]
    given = [*stage["parameter_overrides"].split(), *parameters]
    chosen = {name: value for name, _, value in (one.partition("=") for one in given)}
    # The functions run on this machine itself.
    chosen["Architecture"] = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"
    return ["--parameter-overrides", *(f"{name}={value}" for name, value in chosen.items())]


def _sam(local: Local, arguments: list[str], environment: dict[str, str], tell: Callable[[str], None]) -> None:
    sam = local.root / ".tools" / "sam" / "bin" / "sam"
    if not sam.exists():
        raise LocalError("The SAM CLI is not installed. Install it with: make .tools/sam/installed")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
    process = subprocess.Popen(  # noqa: S603
        # Named, for sam looks for it beside the template it is given.
        [str(sam), *arguments, "--config-file", str(local.root / "samconfig.toml"), "--config-env", "local"],
        cwd=local.root,
        env={**inherited, **environment, "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.5"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    with process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            tell(line.rstrip())
    if process.returncode:
        raise LocalError("\n".join([f"sam {arguments[0]} failed:", *lines[-25:]]))
