"""An object is read, or it is said why not: for now, or for good."""

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
from tests.support.faulty_client import Fault, FaultyClient, garbles, refuses, times_out

HERE = ObjectName("deliveries", "deliveries/2026/03/01/12/stream-1")


@pytest.fixture
def s3() -> Iterator[FaultyClient]:
    """S3 with one object in the bucket of deliveries, and one beside them."""
    with EmbeddedAws() as aws:
        client = aws.client("s3")
        client.create_bucket(Bucket="deliveries")
        client.put_object(Bucket="deliveries", Key=HERE.key, Body=b"content")
        client.put_object(Bucket="deliveries", Key="failed/1", Body=b"content")
        yield FaultyClient(client)


def test_it_is_read(s3: FaultyClient) -> None:
    """With one call."""
    assert (DeliveryObjects(lambda: s3, "deliveries").read(HERE), len(s3.calls)) == (b"content", 1)


def test_the_client_is_made_once_something_is_read(s3: FaultyClient) -> None:
    """S3's is a heavy one, and most batches of the lane may tell of no object."""
    made: list[FaultyClient] = []

    def connect() -> FaultyClient:
        made.append(s3)
        return s3

    objects = DeliveryObjects(connect, "deliveries")
    assert made == []
    objects.read(HERE)
    objects.read(HERE)
    assert made == [s3]


def test_what_is_gone_is_gone(s3: FaultyClient) -> None:
    """No other try would find it."""
    with pytest.raises(ObjectError, match="no-such-object"):
        DeliveryObjects(lambda: s3, "deliveries").read(ObjectName("deliveries", "deliveries/expired"))


@pytest.mark.parametrize(
    "name", [ObjectName("another", HERE.key), ObjectName("deliveries", "failed/1"), ObjectName("", "")]
)
def test_another_object_is_left_alone(s3: FaultyClient, name: ObjectName) -> None:
    """Whoever can write to the queue can't have this read what is none of its own."""
    with pytest.raises(ObjectError, match="foreign-object"):
        DeliveryObjects(lambda: s3, "deliveries").read(name)
    assert s3.calls == []


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (refuses("AccessDenied"), ClientError),
        (refuses("SlowDown"), ClientError),
        (refuses("NoSuchBucket"), ClientError),
        (times_out, ReadTimeoutError),
        (garbles, MalformedResponseError),
    ],
)
def test_a_fault_is_for_another_try(s3: FaultyClient, fault: Fault, raised: type[Exception]) -> None:
    """S3 may do later."""
    s3.otherwise = fault
    with pytest.raises(raised):
        DeliveryObjects(lambda: s3, "deliveries").read(HERE)


@pytest.mark.parametrize("broken", [SSLError("bad record"), ValueError("Last-Modified"), ProtocolError("cut off")])
def test_a_connection_that_breaks_is_for_another_try(broken: Exception) -> None:
    """Botocore lets through what urllib3 makes of it, and what it makes of odd headers itself. Neither is our bug."""
    with (
        mock.patch.object(Large, "get_object", side_effect=broken),
        pytest.raises(MalformedResponseError, match=type(broken).__name__),
    ):
        DeliveryObjects(lambda: Large(1), "deliveries").read(HERE)


def test_a_transfer_that_breaks_is_for_another_try() -> None:
    """In the middle of an object as well, and of one that SES is to import: neither ends the batch, or the sweep."""
    large = Large(1)
    with mock.patch.object(large, "body", mock.Mock(read=mock.Mock(side_effect=SSLError("bad record")))):
        with pytest.raises(MalformedResponseError, match="SSLError"):
            DeliveryObjects(lambda: large, "deliveries").read(HERE)
        assert ImportObjects(lambda: cast("Any", large), "imports").get("one") is None


class Large:
    """An S3 whose object is this large."""

    def __init__(self, size: int) -> None:
        """Prepare it."""
        self.body = BytesIO(b"content")
        self.size = size

    def get_object(self, **_: Any) -> dict[str, Any]:  # noqa: ANN401 (botocore's)
        """Answer."""
        return {"ETag": '"0"', "ContentLength": self.size, "Body": self.body}


def test_an_object_too_large_is_not_read() -> None:
    """It would fill the function's memory: nothing that is read at once may be larger."""
    large, largest = Large(MAX_OBJECT_BYTES + 1), Large(MAX_OBJECT_BYTES)
    with pytest.raises(ObjectError, match="object-too-large"):
        DeliveryObjects(lambda: large, "deliveries").read(HERE)
    assert large.body.closed
    assert DeliveryObjects(lambda: largest, "deliveries").read(HERE) == b"content"
