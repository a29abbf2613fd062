"""DeliveryObjects: reading objects, and the errors that a retry can or cannot help."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any, cast
from unittest import mock

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from urllib3.exceptions import ProtocolError, SSLError

from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.errors import MalformedResponseError
from ses_feedback.aws.objects import MAX_OBJECT_BYTES, DeliveryObjects, ObjectError
from ses_feedback.reading.s3_notifications import ObjectName
from ses_feedback.suppression.import_jobs.objects import ImportObjects
from tests.support.faulty_client import Fault, FaultyClient, fails_with, returns_garbage, times_out

NAME = ObjectName("deliveries", "deliveries/2026/03/01/12/stream-1")


@pytest.fixture
def s3() -> Iterator[FaultyClient]:
    """Return an S3 client. Its bucket contains one object with deliveries, and one other object."""
    with EmbeddedAws() as aws:
        client = aws.client("s3")
        client.create_bucket(Bucket="deliveries")
        client.put_object(Bucket="deliveries", Key=NAME.key, Body=b"content")
        client.put_object(Bucket="deliveries", Key="failed/1", Body=b"content")
        yield FaultyClient(client)


def test_an_object_is_read_with_one_call(s3: FaultyClient) -> None:
    assert (DeliveryObjects(lambda: s3, "deliveries").read(NAME), len(s3.calls)) == (b"content", 1)


def test_the_client_is_created_once_at_the_first_read(s3: FaultyClient) -> None:
    """Creating botocore's S3 client is expensive, and most batches of the lane may name no object."""
    created: list[FaultyClient] = []

    def connect() -> FaultyClient:
        created.append(s3)
        return s3

    objects = DeliveryObjects(connect, "deliveries")
    assert created == []
    objects.read(NAME)
    objects.read(NAME)
    assert created == [s3]


def test_a_missing_object_is_an_object_error(s3: FaultyClient) -> None:
    with pytest.raises(ObjectError, match="no-such-object"):
        DeliveryObjects(lambda: s3, "deliveries").read(ObjectName("deliveries", "deliveries/expired"))


@pytest.mark.parametrize(
    "name", [ObjectName("another", NAME.key), ObjectName("deliveries", "failed/1"), ObjectName("", "")]
)
def test_an_object_outside_the_deliveries_is_not_read(s3: FaultyClient, name: ObjectName) -> None:
    """A message on the queue cannot make the function read other data."""
    with pytest.raises(ObjectError, match="foreign-object"):
        DeliveryObjects(lambda: s3, "deliveries").read(name)
    assert s3.calls == []


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (fails_with("AccessDenied"), ClientError),
        (fails_with("SlowDown"), ClientError),
        (fails_with("NoSuchBucket"), ClientError),
        (times_out, ReadTimeoutError),
        (returns_garbage, MalformedResponseError),
    ],
)
def test_a_fault_of_s3_is_raised_as_an_aws_error(s3: FaultyClient, fault: Fault, raised: type[Exception]) -> None:
    s3.default_fault = fault
    with pytest.raises(raised):
        DeliveryObjects(lambda: s3, "deliveries").read(NAME)


@pytest.mark.parametrize("broken", [SSLError("bad record"), ValueError("Last-Modified"), ProtocolError("cut off")])
def test_an_error_of_the_http_library_is_raised_as_an_aws_error(broken: Exception) -> None:
    """Botocore passes on errors of urllib3, and raises ValueError for malformed headers."""
    with (
        mock.patch.object(S3OfSize, "get_object", side_effect=broken),
        pytest.raises(MalformedResponseError, match=type(broken).__name__),
    ):
        DeliveryObjects(lambda: S3OfSize(1), "deliveries").read(NAME)


def test_a_transfer_that_breaks_is_raised_as_an_aws_error() -> None:
    """ImportObjects returns None then. Neither the batch nor the sweep fails."""
    s3 = S3OfSize(1)
    with mock.patch.object(s3, "body", mock.Mock(read=mock.Mock(side_effect=SSLError("bad record")))):
        with pytest.raises(MalformedResponseError, match="SSLError"):
            DeliveryObjects(lambda: s3, "deliveries").read(NAME)
        assert ImportObjects(lambda: cast("Any", s3), "imports").get("one") is None


class S3OfSize:
    """An S3 client whose object has this size."""

    def __init__(self, size: int) -> None:
        """Respond with an object of `size` bytes."""
        self.body = BytesIO(b"content")
        self.size = size

    def get_object(self, **_: Any) -> dict[str, Any]:  # noqa: ANN401 (botocore's)
        """Return the response."""
        return {"ETag": '"0"', "ContentLength": self.size, "Body": self.body}


def test_an_object_over_the_limit_is_not_read() -> None:
    """It would fill the memory of the function."""
    too_large, largest = S3OfSize(MAX_OBJECT_BYTES + 1), S3OfSize(MAX_OBJECT_BYTES)
    with pytest.raises(ObjectError, match="object-too-large"):
        DeliveryObjects(lambda: too_large, "deliveries").read(NAME)
    assert too_large.body.closed
    assert DeliveryObjects(lambda: largest, "deliveries").read(NAME) == b"content"
