"""Reading from AWS: once, paced, and with errors for the operator."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from feedbackctl.doctor.aws_reader import AwsReader, NotFoundError, NotPermittedError, UnavailableError
from tests.support.doctor_aws import DoctorAws, refuse


def reader_of(aws: DoctorAws, slept: list[float] | None = None) -> AwsReader:
    pauses = [] if slept is None else slept
    return AwsReader(aws.client, sleep=pauses.append, monotonic=lambda: 0.0)


def test_same_reading_is_made_once() -> None:
    aws = DoctorAws()
    reader = reader_of(aws)
    aws.requests.clear()
    for _ in range(3):
        reader.read("sesv2", "get_account")
    assert aws.requests == ["sesv2.get_account"]
    assert reader.actions == {"ses:GetAccount"}


def test_error_is_remembered_too() -> None:
    aws = DoctorAws()
    aws.answers["sesv2", "get_account"] = refuse("AccessDeniedException")
    reader = reader_of(aws)
    aws.requests.clear()
    for _ in range(2):
        with pytest.raises(NotPermittedError, match="ses:GetAccount"):
            reader.read("sesv2", "get_account")
    assert len(aws.requests) == 1


def test_calls_of_one_ses_operation_are_a_second_apart_and_others_are_not() -> None:
    slept: list[float] = []
    reader = reader_of(DoctorAws(), slept)
    reader.read("sesv2", "get_account")
    reader.read("sesv2", "list_contact_lists")
    assert slept == []
    for name in ("example.com", "example.com", "example.org"):
        aws_read(reader, name)
    assert slept == [1.0]


def aws_read(reader: AwsReader, name: str) -> None:
    reader.read("sesv2", "get_configuration_set", ConfigurationSetName=name)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AuthorizationError", NotPermittedError),
        ("NoSuchBucketPolicy", NotFoundError),
        ("QueueDoesNotExist", NotFoundError),
        ("Throttling", UnavailableError),
    ],
)
def test_error_of_aws_is_translated(code: str, error: type[Exception]) -> None:
    aws = DoctorAws()
    aws.answers["sqs", "get_queue_attributes"] = refuse(code)
    with pytest.raises(error):
        reader_of(aws).read("sqs", "get_queue_attributes", QueueUrl="u")


def test_service_that_cannot_be_reached_is_unavailable() -> None:
    aws = DoctorAws()

    def fail(_request: Any) -> Any:  # noqa: ANN401
        raise EndpointConnectionError(endpoint_url="https://sqs.example.com/?secret")

    aws.answers["sqs", "get_queue_attributes"] = fail
    with pytest.raises(UnavailableError, match="EndpointConnectionError") as raised:
        reader_of(aws).read("sqs", "get_queue_attributes", QueueUrl="u")
    assert "secret" not in str(raised.value)


def test_all_pages_are_read() -> None:
    aws = DoctorAws()
    aws.answers["sesv2", "list_configuration_sets"] = lambda request: (
        {"ConfigurationSets": ["b"]}
        if request.get("NextToken") == "t"
        else {"ConfigurationSets": ["a"], "NextToken": "t"}
    )
    found = reader_of(aws).read_pages("sesv2", "list_configuration_sets", "ConfigurationSets")
    assert found == ["a", "b"]


def test_throttled_call_is_repeated() -> None:
    aws = DoctorAws()
    slept: list[float] = []
    throttled = refuse("TooManyRequestsException")
    aws.answers["sesv2", "list_contact_lists"] = lambda request: (
        throttled(request) if len(slept) < 2 else {"ContactLists": []}
    )
    assert reader_of(aws, slept).read("sesv2", "list_contact_lists") == {"ContactLists": []}
    assert slept == [1.0, 2.0]
