"""`feedbackctl doctor`: output and exit codes."""

import json

import pytest
from click.testing import CliRunner, Result

from feedbackctl.__main__ import main
from feedbackctl.aws_session import AwsSession
from feedbackctl.doctor import aws_reader, dns_resolver
from tests.support.doctor_aws import STACK, DoctorAws, refuse


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> DoctorAws:
    """Return the account that the command reads."""
    account = DoctorAws()
    monkeypatch.setattr(AwsSession, "client", lambda _self, service: account.client(service))
    monkeypatch.setattr(aws_reader, "_PACE", 0.0)
    return account


def run(*options: str) -> Result:
    return CliRunner().invoke(main, ["doctor", "--stack", STACK, *options])


@pytest.mark.usefixtures("aws")
def test_healthy_stack_ends_with_zero() -> None:
    result = run()
    assert result.exit_code == 0, result.output
    assert result.output.endswith("The path of feedback is complete.\n")
    assert "enabled" not in result.output


@pytest.mark.usefixtures("aws")
def test_verbose_output_has_every_check() -> None:
    assert "the key is enabled" in run("--verbose").output


def test_broken_hop_ends_with_one(aws: DoctorAws) -> None:
    aws.answers["scheduler", "get_schedule"] = refuse("ResourceNotFoundException")
    result = run("--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert (document["version"], document["broken"], document["stack"]) == (1, "list", STACK)
    assert [hop["state"] for hop in document["hops"]][-3:] == ["not reached"] * 3
    states = [hop["state"] for hop in json.loads(run("--json", "--all").stdout)["hops"]]
    assert "not reached" not in states


def test_missing_permission_ends_with_three(aws: DoctorAws) -> None:
    aws.answers["kms", "get_key_policy"] = refuse("AccessDeniedException")
    result = run()
    assert result.exit_code == 3
    assert "kms:GetKeyPolicy" in result.output


def test_stack_whose_resources_cannot_be_read_ends_with_three(aws: DoctorAws) -> None:
    aws.answers["cloudformation", "list_stack_resources"] = refuse("AccessDenied")
    result = run()
    assert result.exit_code == 3
    assert "cloudformation:ListStackResources" in result.output


@pytest.mark.usefixtures("aws")
def test_dns_is_a_hop_after_the_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_resolver, "look_up_txt", lambda _: [])
    document = json.loads(run("--dns", "--json").stdout)
    assert [hop["name"] for hop in document["hops"]][1:3] == ["identities", "dns"]
    assert document["hops"][2]["state"] == "warn"


@pytest.mark.usefixtures("aws")
def test_commands_name_the_profile_of_the_operator() -> None:
    result = run("--identity", "shop.example.com", "--profile", "mail")
    assert result.exit_code == 1
    assert "--email-identity shop.example.com --profile mail --region eu-west-1" in result.output
