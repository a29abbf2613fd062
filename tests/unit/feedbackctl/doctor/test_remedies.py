"""Commands of the AWS CLI."""

import shlex

import pytest

from feedbackctl.doctor.remedies import aws_command
from tests.support.aws_cli import run_command
from tests.support.doctor_aws import DoctorAws


def test_command_has_options_of_every_type_and_the_region() -> None:
    command = aws_command(
        "lambda", "create-event-source-mapping", "eu-west-1",
        function_name="f", enabled=True, batch_size=100, function_response_types=["ReportBatchItemFailures"],
        scaling_config={"MaximumConcurrency": 2}, uuid=None,
    )  # fmt: skip
    assert shlex.split(command) == [
        "aws", "lambda", "create-event-source-mapping", "--function-name", "f", "--enabled", "--batch-size", "100",
        "--function-response-types", "ReportBatchItemFailures", "--scaling-config", '{"MaximumConcurrency":2}',
        "--region", "eu-west-1",
    ]  # fmt: skip


def test_arguments_come_before_the_options() -> None:
    command = aws_command("logs", "tail", "eu-west-1", "/aws/lambda/mail", since="2h")
    assert command == "aws logs tail /aws/lambda/mail --since 2h --region eu-west-1"


def test_command_quotes_what_a_shell_would_interpret() -> None:
    command = aws_command("sns", "subscribe", "eu-west-1", endpoint="$(reboot) 'x'", protocol="sqs")
    assert "--notification-endpoint" in command
    assert shlex.split(command)[4] == "$(reboot) 'x'"


@pytest.mark.parametrize("command", ["aws sns nothing --region eu-west-1", "rm -rf /"])
def test_interpreter_of_the_tests_refuses_what_is_no_aws_command(command: str) -> None:
    with pytest.raises((AssertionError, KeyError)):
        run_command(command, DoctorAws().client, "eu-west-1")
