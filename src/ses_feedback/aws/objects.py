"""Objects in S3 that hold feedback: what Firehose wrote of what SES published."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ses_feedback.aws.errors import error_code, require, translate_read_errors
from ses_feedback.reading.s3_notifications import ObjectName

PREFIX = "deliveries/"
"""What the key of every object with feedback begins with."""
MAX_OBJECT_BYTES = 64 * 1024**2
"""Of an object that is read at once: a dozen times what the stream buffers, and what a function gets through."""


class S3(Protocol):
    """The calls of botocore's S3 client that are made here."""

    def get_object(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class ObjectError(Exception):
    """An object can't be had, by another try neither. `reason` is one of a few fixed words, fit for logs."""

    def __init__(self, reason: str) -> None:
        """Keep `reason`, for example `no-such-object`."""
        super().__init__(reason)
        self.reason = reason


class DeliveryObjects:
    """The objects of one bucket."""

    def __init__(self, connect: Callable[[], S3], bucket: str) -> None:
        """Read from `bucket` through the client that `connect` makes, once there is an object to read."""
        self._connect = connect
        self._bucket = bucket

    @cached_property
    def _client(self) -> S3:
        return self._connect()

    def read(self, one: ObjectName) -> bytes:
        """Return what is in an object.

        Raises:
            ObjectError: it is gone, too large, or not one of these.
            AWS_ERRORS: S3 did not answer, or not with the object.

        """
        if one.bucket != self._bucket or not one.key.startswith(PREFIX):
            raise ObjectError("foreign-object")
        try:
            with translate_read_errors():
                answer = self._client.get_object(Bucket=one.bucket, Key=one.key)
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                raise ObjectError("no-such-object") from None
            raise
        require(answer, "ETag")
        body = require(answer, "Body")
        if require(answer, "ContentLength", int) > MAX_OBJECT_BYTES:
            body.close()
            raise ObjectError("object-too-large")
        with translate_read_errors():
            content: bytes = body.read()
        return content
