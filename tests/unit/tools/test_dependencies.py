"""Declared dependencies in pyproject.toml, their pins in requirements/, and the imports of the code."""

import ast
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = [Requirement(text) for text in PROJECT["dependencies"]]
LOCAL = [Requirement(text) for text in PROJECT["optional-dependencies"]["local"]]
DISTRIBUTIONS = {"aws_lambda_powertools": "aws-lambda-powertools", "pydantic_core": "pydantic"}
"""Distributions of modules, where the names differ or another distribution always brings the module."""


def pins(name: str) -> dict[str, str]:
    """Return the pinned versions in a requirements file."""
    lines = (ROOT / name).read_text().splitlines()
    pinned = [Requirement(line.removesuffix("\\")) for line in lines if "==" in line and not line.startswith(" ")]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pinned}


def third_party_imports(folders: Iterable[str]) -> set[str]:
    """Return the distributions that modules in these folders import."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    own = {"feedbackctl", "localaws", "ses_feedback"}
    modules = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - own
    return {DISTRIBUTIONS.get(module, module) for module in modules}


@pytest.mark.parametrize("requirement", DECLARED + LOCAL, ids=str)
@pytest.mark.parametrize("file", ["requirements/feedbackctl.txt", "requirements/dev.txt"])
def test_pin_of_each_dependency_is_in_its_declared_range(requirement: Requirement, file: str) -> None:
    assert requirement.specifier.contains(pins(file)[requirement.name])


def test_pins_of_the_wheel_are_those_of_the_tests() -> None:
    wheel, tests = pins("requirements/feedbackctl.txt"), pins("requirements/dev.txt")
    assert {name: version for name, version in wheel.items() if tests.get(name, version) != version} == {}


def test_pins_of_the_mutation_tools_have_everything_that_the_tests_import() -> None:
    mutation = pins("requirements/mutation.txt")
    assert {
        name: version for name, version in pins("requirements/dev.txt").items() if mutation.get(name) != version
    } == {}


def test_dependencies_of_the_functions_are_dependencies_of_the_wheel() -> None:
    lines = (ROOT / "src" / "requirements.in").read_text().splitlines()
    functions = {Requirement(line).name for line in lines if not line.startswith("#")}
    assert functions - {requirement.name for requirement in DECLARED} == set()


def test_each_import_is_a_declared_dependency() -> None:
    declared = {requirement.name for requirement in DECLARED}
    assert third_party_imports(["src/ses_feedback", "feedbackctl"]) <= declared
    in_process = third_party_imports(["localaws/in_process", "localaws/suppression_list"])
    assert in_process <= declared | {requirement.name for requirement in LOCAL}
