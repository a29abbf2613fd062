"""The S3 objects that SES imports. They contain addresses, so each is deleted as soon as its job is settled."""

from collections.abc import Callable
from typing import Any, Protocol

from ses_feedback.aws.errors import AWS_ERRORS, require, translate_read_errors

PREFIX = "imports/"
"""The prefix of the key of every object."""


class ImportBucketClient(Protocol):
    """The methods of botocore's S3 client for import objects."""

    def put_object(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def get_object(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def delete_object(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class ImportObjects:
    """The objects in the bucket `bucket`."""

    def __init__(self, s3: Callable[[], ImportBucketClient], bucket: str) -> None:
        """Create the client with `s3` when it is first needed: importing botocore's S3 client is expensive."""
        self._s3 = s3
        self._bucket = bucket

    def url(self, name: str) -> str:
        """Return the URL of the object of the job `name`, as SES expects it."""
        return f"s3://{self._bucket}/{PREFIX}{name}"

    def put(self, name: str, text: str) -> bool:
        """Write the object of the job `name`; return True if S3 confirms it."""
        client = self._s3()
        try:
            require(client.put_object(Bucket=self._bucket, Key=PREFIX + name, Body=text.encode()), "ETag")
        except AWS_ERRORS:
            return False
        return True

    def get(self, name: str) -> str | None:
        """Return the object of the job `name`, or None if it cannot be read now.

        S3 does not distinguish a missing object from a forbidden one, because the function may not list the bucket:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        client = self._s3()
        try:
            with translate_read_errors():
                answer = client.get_object(Bucket=self._bucket, Key=PREFIX + name)
                body: bytes = require(answer, "Body").read()
        except AWS_ERRORS:
            return None
        return body.decode(errors="replace")

    def delete(self, name: str) -> None:
        """Delete the object of the job `name`. If this fails, the lifecycle rule of the bucket deletes it later."""
        client = self._s3()
        try:
            client.delete_object(Bucket=self._bucket, Key=PREFIX + name)
        except AWS_ERRORS:
            return
