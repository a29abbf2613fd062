"""The stack, deployed for real to an AWS on this machine. Collected only when named: `pytest tests/e2e`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from localaws.served import stack as stacks
from localaws.served.process import Local
from tests.e2e.deployed_stack import LANES, World


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave these out of a run of all tests: they take minutes, and an emulator."""
    return None if any("e2e" in argument for argument in config.args) else True


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """An AWS of the tests' own, beside the one that may be running."""
    here = Local(home=Path(tmp_path_factory.mktemp("local")))
    yield here
    here.down()


@pytest.fixture(scope="session")
def deployed(local: Local) -> World:
    """The template, built and deployed."""
    running = local.up()
    stacks.build(local)
    stacks.deploy(local, running)
    world = World(local, running)
    world.verify_sender()
    return world


@pytest.fixture
def world(deployed: World) -> Iterator[World]:
    """The deployed stack, with nothing going wrong on purpose before or after."""
    deployed.fail()
    yield deployed
    deployed.fail()
    deployed.publish()


@pytest.fixture
def runner(world: World, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Run commands with the environment that `feedbackctl local env` prints."""
    for name, value in world.running.environment.items():
        monkeypatch.setenv(name, value)
    return CliRunner()


@pytest.fixture
def impatient(world: World) -> Iterator[World]:
    """The stack with lanes that try again after two seconds instead of seven minutes."""
    sqs = world.client("sqs")

    def wait(seconds: int) -> None:
        for lane in LANES:
            attributes = {"VisibilityTimeout": str(seconds)}
            sqs.set_queue_attributes(QueueUrl=world.outputs[lane], Attributes=attributes)

    wait(2)
    yield world
    wait(420)


@pytest.fixture
def hasty(world: World) -> Iterator[World]:
    """The stack with a list_sync that has SES import what waits when that is more than three contacts."""
    functions, name = world.client("lambda"), world.outputs["SuppressionFunctionName"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def configure(**changed: str) -> None:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**variables, **changed}})

    configure(SUPPRESSION_BACKLOG_HOURS="0.0009")
    yield world
    configure()
