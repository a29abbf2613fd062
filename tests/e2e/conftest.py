"""The stack, deployed to an AWS emulator on this machine. Collected only if named: `pytest tests/e2e`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from localaws.deployment import sam_cli
from localaws.deployment.server_process import LocalAws
from tests.e2e.browser import find_browser
from tests.e2e.stack_under_test import LANE_QUEUES, StackUnderTest

collect_ignore = [] if find_browser() else ["test_browser.py"]


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Exclude these tests from a run of all tests: they take minutes and need an emulator."""
    return None if any("e2e" in argument for argument in config.args) else True


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Return a local AWS for these tests only. Another one of this checkout can run at the same time."""
    local_aws = LocalAws(state_directory=Path(tmp_path_factory.mktemp("local")))
    yield local_aws
    local_aws.stop()


@pytest.fixture(scope="session")
def deployed(local_aws: LocalAws) -> StackUnderTest:
    """Build and deploy the template, and return the stack."""
    server = local_aws.start()
    sam_cli.deploy(local_aws, server)
    stack = StackUnderTest(local_aws, server)
    stack.verify_sender()
    return stack


@pytest.fixture
def stack(deployed: StackUnderTest) -> Iterator[StackUnderTest]:
    """Return the deployed stack, and remove injected faults before and after the test."""
    deployed.inject_faults()
    yield deployed
    deployed.inject_faults()
    deployed.set_publishing()


@pytest.fixture
def runner(stack: StackUnderTest, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Return a runner of commands, with the environment that `feedbackctl local env` prints."""
    for name, value in stack.server.environment.items():
        monkeypatch.setenv(name, value)
    return CliRunner()


@pytest.fixture
def short_visibility_stack(stack: StackUnderTest) -> Iterator[StackUnderTest]:
    """Return the stack with a visibility timeout of two seconds instead of seven minutes in the lanes."""
    sqs = stack.client("sqs")

    def set_visibility_timeout(seconds: int) -> None:
        for queue in LANE_QUEUES:
            attributes = {"VisibilityTimeout": str(seconds)}
            sqs.set_queue_attributes(QueueUrl=stack.outputs[queue], Attributes=attributes)

    set_visibility_timeout(2)
    yield stack
    set_visibility_timeout(420)


@pytest.fixture
def early_import_stack(stack: StackUnderTest) -> Iterator[StackUnderTest]:
    """Return the stack with a sweep that starts an import job if more than three contacts are pending."""
    functions, name = stack.client("lambda"), stack.outputs["SuppressionFunctionName"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def configure(**changed: str) -> None:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**variables, **changed}})

    configure(SUPPRESSION_BACKLOG_HOURS="0.0009")
    yield stack
    configure()
