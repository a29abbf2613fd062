"""The wheel, installed alone into an empty environment and run outside of the checkout.

`make wheel` prepares .tools/wheelhouse, the folder of pinned wheels that pip installs from without the network.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.wheel.aws_stub import aws_stub

if TYPE_CHECKING:
    from tests.wheel.aws_stub import Responses

ROOT = Path(__file__).parents[2]
WHEELHOUSE = ROOT / ".tools" / "wheelhouse"
ADDRESS = "soft-bounces-five-days@example.com"
IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
for package in sys.argv[1:]:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""
ASK = """
from ses_feedback.client import Contacts

class Client:
    def get_item(self, **request):
        print(request["Key"]["address"]["S"])
        return {}

Contacts("Contacts", client=Client()).may_send("Ada <Ada@B\u00fccher.example.>")
"""

pytestmark = pytest.mark.skipif(not WHEELHOUSE.exists(), reason="make wheel prepares .tools/wheelhouse")


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel, and a folder to run commands in."""

    root: Path
    folder: Path

    def run(self, program: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment, with these environment variables only."""
        return subprocess.run(  # noqa: S603 (a program of this environment)
            [str(self.root / "bin" / program), *arguments],
            cwd=self.folder,
            env={"PATH": os.defpath, "HOME": str(self.folder), **variables},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 (the pinned build backend)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Install the wheel alone."""
    return install(str(wheel), tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="module")
def local_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Install the wheel with the extra `local`."""
    return install(f"{wheel}[local]", tmp_path_factory.mktemp("local-environment"))


def install(requirement: str, directory: Path, *options: str) -> Environment:
    """Install a requirement into an empty environment, with its dependencies unless `--no-deps` is among `options`."""
    root, folder = directory / "env", directory / "folder"
    venv.create(root)
    folder.mkdir()
    command = [
        *(sys.executable, "-m", "pip", "--python", str(root / "bin" / "python"), "--disable-pip-version-check"),
        *("install", "--quiet", "--no-compile", *options, requirement),
    ]
    only_wheelhouse = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELHOUSE)}
    subprocess.run(command, check=True, env={"PATH": os.defpath, **only_wheelhouse})  # noqa: S603
    return Environment(root, folder)


AWS = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "k",
    "AWS_SECRET_ACCESS_KEY": "s",
}


_OUTPUTS = "".join(
    f"<member><OutputKey>{name}</OutputKey><OutputValue>Contacts</OutputValue></member>"
    for name in ("ContactsTableName", "QuarantineQueueUrl")
)
STACK = (
    "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>s</StackName>"
    f"<Outputs>{_OUTPUTS}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
)
CALLER = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>"
    "<Arn>arn:aws:iam::123456789012:user/operator</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


def test_wheel_has_the_three_packages_and_the_license_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    (dist_info,) = [top for top in tops if top.endswith(".dist-info")]
    assert tops == {"feedbackctl", "localaws", "ses_feedback", dist_info}
    assert f"{dist_info}/licenses/LICENSE" in names


def test_help_lists_the_commands(environment: Environment) -> None:
    finished = environment.run("feedbackctl", "--help")
    assert (finished.returncode, finished.stderr, "contact" in finished.stdout) == (0, "", True)


def test_each_module_of_the_functions_and_of_the_command_line_can_be_imported(
    environment: Environment, local_environment: Environment
) -> None:
    finished = environment.run("python", "-c", IMPORT_EVERYTHING, "ses_feedback", "feedbackctl.commands")
    assert finished.stderr == ""
    finished = local_environment.run("python", "-c", IMPORT_EVERYTHING, "feedbackctl", "localaws.in_process")
    assert finished.stderr == ""


def test_a_sending_application_needs_the_wheel_without_its_dependencies(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = install(str(wheel), tmp_path_factory.mktemp("application"), "--no-deps")
    finished = environment.run("python", "-c", ASK)
    assert (finished.returncode, finished.stderr, finished.stdout) == (0, "", "ada@xn--bcher-kva.example\n")


def test_replay_without_the_extra_tells_how_to_install_it(environment: Environment) -> None:
    (environment.folder / "event.json").write_text("{}")
    finished = environment.run("feedbackctl", "replay", "event.json")
    assert (finished.returncode, finished.stdout, "Traceback" in finished.stderr) == (1, "", False)
    assert "pip install '.[local]'" in finished.stderr


def test_replay_with_the_extra_prints_the_contact(local_environment: Environment) -> None:
    shutil.copy(ROOT / "events" / "sqs-batch-soft-bounces-five-days.json", local_environment.folder / "event.json")
    finished = local_environment.run("feedbackctl", "replay", "--json", "event.json")
    assert (finished.returncode, finished.stderr) == (0, "")
    contacts = json.loads(finished.stdout)["contacts"]
    assert [(contact["address"], contact["status"]) for contact in contacts] == [(ADDRESS, "suspended")]


def test_reinstate_writes_the_contact_to_dynamodb(environment: Environment) -> None:
    responses: Responses = {
        "BatchGetItem": [{"Responses": {"Contacts": []}, "UnprocessedKeys": {}}],
        "BatchExecuteStatement": [{"Responses": [{"TableName": "Contacts"}]}],
        "DescribeStacks": [STACK],
        "GetCallerIdentity": [CALLER],
    }
    with aws_stub(responses) as stub:
        arguments = ["contact", "reinstate", "someone@example.com", "--stack", "s", "--reason", "asked by phone"]
        finished = environment.run("feedbackctl", *arguments, AWS_ENDPOINT_URL=stub.url, **AWS)
    assert (finished.returncode, "someone@example.com  active" in finished.stdout) == (0, True)
    # The first read shows whether an interrupted run has done it already.
    reads, writes = ["DescribeStacks", "GetCallerIdentity", *["BatchGetItem"] * 2], ["BatchExecuteStatement"] * 2
    assert stub.operations == [*reads, *writes]
    assert all("asked by phone" in json.dumps(request) for _, request in stub.requests[-2:])


def test_redrive_moves_a_message(environment: Environment) -> None:
    message = {
        "MessageId": "1",
        "ReceiptHandle": "receipt",
        "Body": "text",
        "Attributes": {"SentTimestamp": "1767225600000"},
    }
    responses: Responses = {
        "ReceiveMessage": [{"Messages": [message]}, {}],
        "SendMessage": [{"MessageId": "2"}],
        "DeleteMessage": [{}],
        "GetCallerIdentity": [CALLER],
    }
    with aws_stub(responses) as stub:
        source, target = f"{stub.url}/123456789012/Quarantine", f"{stub.url}/123456789012/Bounce"
        arguments = ["redrive", "--from", source, "--to", target, "--yes"]
        finished = environment.run("feedbackctl", *arguments, AWS_ENDPOINT_URL=stub.url, **AWS)
    expected = "Moved 1, left 0 that SQS cannot carry in their original form.\n"
    assert (finished.returncode, finished.stdout) == (0, expected)
    moved = ["ReceiveMessage", "SendMessage", "DeleteMessage", "ReceiveMessage"]
    assert stub.operations == ["GetCallerIdentity", *moved]
    sent = stub.requests[2][1]
    assert (sent["QueueUrl"], sent["MessageBody"]) == (target, "text")


@pytest.mark.parametrize("arguments", [["local", "up"], ["demo"]], ids=" ".join)
def test_command_that_needs_a_checkout_says_so(environment: Environment, arguments: list[str]) -> None:
    finished = environment.run("feedbackctl", *arguments)
    assert (finished.returncode, "Traceback" in finished.stderr) == (1, False)
    assert "needs a checkout of ses-feedback" in finished.stderr
