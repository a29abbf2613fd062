"""The parameters of template.yaml, the environment variables of the functions, and the stages of samconfig.toml."""

import json
import re
import tomllib
from dataclasses import fields
from typing import Any

import pytest

from ses_feedback.settings import Settings, from_environment
from tests.support.aws_calls import Code
from tests.support.sam_template import BOTH_PATHS, FUNCTIONS, LANES, ROOT, stack, template

STAGES: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text())


@pytest.fixture(scope="module")
def code() -> Code:
    """The source of the functions."""
    return Code()


class TestParameters:
    """The parameters of the template."""

    def test_each_has_a_description_and_a_default(self) -> None:
        declared = template()["Parameters"]
        short = {name for name, each in declared.items() if len(each["Description"]) < 40 or "Default" not in each}
        assert short == set()

    def test_each_restricts_its_values(self) -> None:
        restrictions = ({"AllowedValues"}, {"AllowedPattern"}, {"MinValue", "MaxValue"})
        declared = template()["Parameters"]
        unrestricted = {name for name, each in declared.items() if not any(keys <= set(each) for keys in restrictions)}
        assert unrestricted == set()

    def test_each_is_used_by_a_condition_a_resource_or_an_output(self) -> None:
        parsed = template()
        rest = json.dumps({part: parsed[part] for part in ("Globals", "Conditions", "Resources", "Outputs")})
        used = {name for names in re.findall(r'{"Ref": "(\w+)"}|\${(\w+)}', rest) for name in names}
        assert set(parsed["Parameters"]) - used == set()

    def test_each_is_in_one_group_of_the_console_form(self) -> None:
        groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
        grouped = [name for group in groups for name in group["Parameters"]]
        assert sorted(template()["Parameters"]) == sorted(grouped)

    def test_a_new_stack_has_no_key_unless_it_is_chosen(self) -> None:
        assert template()["Parameters"]["CustomerManagedKey"]["Default"] == "false"

    def test_there_are_at_most_32(self) -> None:
        """More than a person can read through in a form. AWS allows 200."""
        assert len(template()["Parameters"]) <= 32

    def test_the_suppression_rate_cannot_exceed_the_ses_quota(self) -> None:
        """One call per second: https://docs.aws.amazon.com/ses/latest/dg/quotas.html."""
        assert template()["Parameters"]["SuppressionRate"]["MaxValue"] == 1

    @pytest.mark.parametrize("function", FUNCTIONS)
    @pytest.mark.parametrize("bound", ["MinValue", "MaxValue"])
    def test_the_settings_accept_the_bounds_of_every_number(self, function: str, bound: str) -> None:
        numbers = {name: str(each[bound]) for name, each in template()["Parameters"].items() if bound in each}
        settings = from_environment(stack(**numbers).environment(function))
        assert int(numbers["SoftBounceLimit"]) == settings.soft_bounce_limit

    @pytest.mark.parametrize("value", ["true", "false"])
    def test_the_settings_accept_both_values_of_a_choice(self, value: str) -> None:
        variables = stack(SuppressUnsubscribed=value).environment("SuppressionFunction")
        assert from_environment(variables).suppress_unsubscribed is (value == "true")

    @pytest.mark.parametrize(
        ("parameter", "value", "function", "variable"),
        [
            ("SoftBounceLimit", "7", "BounceFunction", "SOFT_BOUNCE_LIMIT"),
            ("SoftBounceWindowDays", "45", "SuppressionFunction", "SOFT_BOUNCE_WINDOW_DAYS"),
            ("AmbiguousComplaint", "note", "ComplaintFunction", "AMBIGUOUS_COMPLAINT"),
            ("SuppressUnsubscribed", "true", "SuppressionFunction", "SUPPRESS_UNSUBSCRIBED"),
            ("HistoryDays", "30", "BounceFunction", "HISTORY_DAYS"),
            ("SuppressionRate", "0.5", "SuppressionFunction", "SUPPRESSION_RATE"),
            ("EventBusName", "mine", "SuppressionFunction", "EVENT_BUS_NAME"),
        ],
    )
    def test_a_parameter_reaches_its_environment_variable(
        self, parameter: str, value: str, function: str, variable: str
    ) -> None:
        assert stack(**{parameter: value}).environment(function)[variable] == value


class TestEnvironment:
    """The environment variables of the functions."""

    def test_together_the_functions_have_exactly_the_variables_that_settings_reads(self) -> None:
        read = {field.name.upper() for field in fields(Settings)}
        declared = {
            name for function in FUNCTIONS for path in BOTH_PATHS for name in stack(**path).environment(function)
        }
        assert read == declared

    @pytest.mark.parametrize("path", BOTH_PATHS)
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_a_function_has_exactly_the_variables_that_its_code_uses(
        self, function: str, path: dict[str, str], code: Code
    ) -> None:
        module, _, name = stack(**path).properties(function)["Handler"].rpartition(".")
        mentioned = code.attributes(module, name)
        used = {field.name.upper() for field in fields(Settings) if field.name in mentioned}
        assert used == set(stack(**path).environment(function))

    @pytest.mark.parametrize("lane", LANES)
    def test_each_lane_knows_its_name(self, lane: str) -> None:
        assert lane == stack().environment(f"{lane}Function")["LANE"]

    @pytest.mark.parametrize(
        ("parameters", "sets"),
        [
            ({}, "${ConfigurationSet}"),
            ({"ExistingConfigurationSet": "mine"}, "mine"),
            ({"MetricConfigurationSets": "first,second"}, "${ConfigurationSet},first,second"),
            ({"ExistingConfigurationSet": "mine", "MetricConfigurationSets": "first"}, "mine,first"),
        ],
    )
    def test_the_configuration_sets_with_separate_metrics(self, parameters: dict[str, str], sets: str) -> None:
        assert stack(**parameters).environment("BounceFunction")["METRIC_CONFIGURATION_SETS"] == sets


def is_allowed(value: str, parameter: dict[str, Any]) -> bool:
    """Return True if a value is one of those that a parameter allows, or has the form that it requires."""
    pattern = parameter.get("AllowedPattern")
    return value in map(str, parameter.get("AllowedValues", [])) or bool(pattern and re.fullmatch(pattern, value))


class TestStages:
    """The stages of samconfig.toml."""

    def test_each_overrides_existing_parameters_with_allowed_values(self) -> None:
        commands = [command for name in ("default", "production", "local") for command in STAGES[name].values()]
        overrides = " ".join(command["parameters"].get("parameter_overrides", "") for command in commands)
        given = [override.partition("=")[::2] for override in overrides.split()]
        declared = template()["Parameters"]
        refused = [(name, value) for name, value in given if not is_allowed(value, declared.get(name, {}))]
        assert refused == []
        assert given != []

    def test_production_is_a_separate_protected_stack_and_asks_before_changes(self) -> None:
        production = STAGES["production"]
        assert production["global"]["parameters"]["stack_name"] == "ses-feedback-production"
        assert production["deploy"]["parameters"]["confirm_changeset"] is True
        overrides = production["deploy"]["parameters"]["parameter_overrides"]
        assert {"DeletionProtection=true", "CustomerManagedKey=true"} <= set(overrides.split())

    def test_local_overrides_only_architecture_protection_log_retention_key_and_streams(self) -> None:
        overrides = STAGES["local"]["global"]["parameters"]["parameter_overrides"].split()
        rest = ["DeletionProtection=false", "LogRetentionDays=1", "CustomerManagedKey=true", "Streams=newsletter"]
        assert overrides == ["Architecture=x86_64", *rest]

    def test_local_builds_outside_the_folder_that_sam_deploy_uses(self) -> None:
        """`sam deploy` takes the package for AWS from .aws-sam/build, the default."""
        assert STAGES["local"]["build"]["parameters"]["build_dir"] == ".local/image"
        assert "build_dir" not in {
            **STAGES["default"]["build"]["parameters"],
            **STAGES["production"]["build"]["parameters"],
        }
