"""`sam build`, `sam deploy` and `sam delete` of template.yaml, against the local AWS."""

import os
import platform
import subprocess
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

from localaws.deployment.container_invocation import write_invocation_files
from localaws.deployment.deployed_stack import DEFAULT_STACK, DeployedStack
from localaws.deployment.running_server import LocalAwsError, RunningServer
from localaws.deployment.server_process import LocalAws

_BUILD_DIRECTORY = Path(".local") / "build"
"""Not `.aws-sam`, from which `sam deploy` deploys to AWS: this package is built for the Python on this machine."""
_REMOVED_VARIABLES = ("AWS_", "MAKE", "MFLAGS")
"""Prefixes of the variables that SAM must not inherit: those of another AWS account, and of a surrounding `make`."""


def build(local_aws: LocalAws, log: Callable[[str], None] = lambda _: None) -> Path:
    """Run `sam build` for the emulator's Python if a source file has changed. Return the built template.

    Raises:
        LocalAwsError: the build failed.

    """
    directory = _BUILD_DIRECTORY / local_aws.python_version
    built = local_aws.root / directory / "template.yaml"
    if built.exists() and not _has_newer_source(local_aws, built):
        log("Nothing has changed since the last sam build.")
        return built
    # src/Makefile reads the target version and the interpreter that installs the requirements.
    variables = {"SES_FEEDBACK_PYTHON": local_aws.python_version, "PYTHON": str(local_aws.python)}
    _run_sam(local_aws, ["build", "--build-dir", str(directory), *_override_parameters(local_aws, ())], variables, log)
    return built


def deploy(
    local_aws: LocalAws,
    server: RunningServer,
    *,
    name: str = DEFAULT_STACK,
    parameters: Iterable[str] = (),
    log: Callable[[str], None] = lambda _: None,
) -> DeployedStack:
    """Run `sam build` and `sam deploy`. `parameters` (`Name=value`) override those in samconfig.toml.

    Raises:
        LocalAwsError: the build or the deployment failed.

    """
    built = build(local_aws, log)
    arguments = ["--template-file", str(built), "--stack-name", name, *_override_parameters(local_aws, parameters)]
    _run_sam(local_aws, ["deploy", *arguments], server.environment, log)
    stack = DeployedStack(server, name)
    if name == DEFAULT_STACK:
        write_invocation_files(local_aws, stack, built)
    return stack


def delete(
    local_aws: LocalAws,
    server: RunningServer,
    *,
    name: str = DEFAULT_STACK,
    log: Callable[[str], None] = lambda _: None,
) -> None:
    """Run `sam delete`.

    Raises:
        LocalAwsError: the deletion failed.

    """
    arguments = ["delete", "--stack-name", name, "--no-prompts"]
    _run_sam(local_aws, [*arguments, "--region", server.environment["AWS_REGION"]], server.environment, log)


def _has_newer_source(local_aws: LocalAws, built: Path) -> bool:
    """Return True if the template, the SAM configuration or a file in src/ is newer than the build."""
    root = local_aws.root
    sources = [root / "template.yaml", root / "samconfig.toml", *(root / "src").rglob("*[!c]")]
    built_at = built.stat().st_mtime
    return any(source.stat().st_mtime >= built_at for source in sources if source.is_file())


def _override_parameters(local_aws: LocalAws, parameters: Iterable[str]) -> list[str]:
    """Return the SAM option with the parameters in samconfig.toml, this machine's processor and `parameters`."""
    configuration = tomllib.loads((local_aws.root / "samconfig.toml").read_text())
    configured = configuration["local"]["global"]["parameters"]["parameter_overrides"].split()
    values = {name: value for name, _, value in (each.partition("=") for each in [*configured, *parameters])}
    # The functions run on this machine.
    values["Architecture"] = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"
    return ["--parameter-overrides", *(f"{name}={value}" for name, value in values.items())]


def _run_sam(
    local_aws: LocalAws, arguments: list[str], environment: dict[str, str], log: Callable[[str], None]
) -> None:
    """Run the SAM CLI and log its output.

    Raises:
        LocalAwsError: the SAM CLI is not installed, or the command failed.

    """
    sam = local_aws.root / ".tools" / "sam" / "bin" / "sam"
    if not sam.exists():
        raise LocalAwsError("The SAM CLI is not installed. Install it with: make .tools/sam/installed")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_REMOVED_VARIABLES)}
    process = subprocess.Popen(  # noqa: S603
        # The configuration file is named because SAM looks for it beside the template.
        [str(sam), *arguments, "--config-file", str(local_aws.root / "samconfig.toml"), "--config-env", "local"],
        cwd=local_aws.root,
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
            log(line.rstrip())
    if process.returncode:
        # SAM prints a line for every part of an upload.
        last_lines = [line for line in lines if "Uploading to" not in line][-25:]
        raise LocalAwsError("\n".join([f"sam {arguments[0]} failed with status {process.returncode}:", *last_lines]))
