"""AwsSession: the Region that the commands use."""

import pytest

from feedbackctl.aws_session import AwsSession


@pytest.mark.parametrize(
    ("option", "variables", "region"),
    [
        ("eu-west-1", {"AWS_REGION": "us-east-1"}, "eu-west-1"),
        (None, {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-west-2"}, "us-east-1"),
        (None, {"AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
        (None, {}, ""),
    ],
)
def test_option_precedes_aws_region_which_precedes_the_default_region(
    monkeypatch: pytest.MonkeyPatch, option: str | None, variables: dict[str, str], region: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "absent")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert AwsSession(region=option).region == region
