"""S3 objects that contain deliveries: files of SES events, written by Firehose."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ses_feedback.aws.errors import error_code, require, translate_read_errors
from ses_feedback.reading.s3_notifications import ObjectName

PREFIX = "deliveries/"
"""The prefix of the key of every object with deliveries."""
MAX_OBJECT_BYTES = 64 * 1024**2
"""The largest object that is read: twelve times what the stream buffers, and as much as the function can process."""


class DeliveryBucketClient(Protocol):
    """The method of botocore's S3 client that is called here."""

    def get_object(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class ObjectError(Exception):
    """An object cannot be read, and no retry helps. `reason` is one of a few fixed words, fit for logs."""

    def __init__(self, reason: str) -> None:
        """Keep `reason`, for example `no-such-object`."""
        super().__init__(reason)
        self.reason = reason


class DeliveryObjects:
    """The objects of one bucket."""

    def __init__(self, connect: Callable[[], DeliveryBucketClient], bucket: str) -> None:
        """Read from `bucket` through the client from `connect`, which is called when it is first needed."""
        self._connect = connect
        self._bucket = bucket

    @cached_property
    def _client(self) -> DeliveryBucketClient:
        return self._connect()

    def read(self, name: ObjectName) -> bytes:
        """Return the content of an object.

        Raises:
            ObjectError: the object does not exist, is too large, or is not in the bucket of deliveries.
            AWS_ERRORS: S3 cannot be reached, or does not return the object.

        """
        if name.bucket != self._bucket or not name.key.startswith(PREFIX):
            raise ObjectError("foreign-object")
        try:
            with translate_read_errors():
                response = self._client.get_object(Bucket=name.bucket, Key=name.key)
        except ClientError as error:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
            if error_code(error) == "NoSuchKey":
                raise ObjectError("no-such-object") from None
            raise
        require(response, "ETag")
        body = require(response, "Body")
        if require(response, "ContentLength", int) > MAX_OBJECT_BYTES:
            body.close()
            raise ObjectError("object-too-large")
        with translate_read_errors():
            content: bytes = body.read()
        return content
