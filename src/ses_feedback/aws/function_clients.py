"""The clients of a function in Lambda: what its every event needs directly, and what few events need when one does."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ses_feedback.aws.dynamodb.client import connect
from ses_feedback.aws.endpoints import Access

if TYPE_CHECKING:
    from ses_feedback.aws.clients import Clients


class FunctionClients:
    """As `Clients`, with DynamoDB spoken to directly where `access` says how."""

    def __init__(self, access: Access | None) -> None:
        """Leave DynamoDB to botocore as well when `access` is None."""
        self._access = access

    @cached_property
    def dynamodb(self) -> Any:  # noqa: ANN401 (botocore makes its clients' methods at run time, here and below)
        """Amazon DynamoDB."""
        return connect(self._access) if self._access else self._botocore.dynamodb

    @property
    def sqs(self) -> Any:  # noqa: ANN401
        """Amazon SQS."""
        return self._botocore.sqs

    @property
    def events(self) -> Any:  # noqa: ANN401
        """Amazon EventBridge."""
        return self._botocore.events

    @property
    def sesv2(self) -> Any:  # noqa: ANN401
        """Amazon SES, without retries."""
        return self._botocore.sesv2

    @property
    def s3(self) -> Any:  # noqa: ANN401
        """Amazon S3."""
        return self._botocore.s3

    @cached_property
    def _botocore(self) -> "Clients":
        # Half of a cold start, for what a healthy feedback function never calls. SuppressionFunction, which calls it
        # for everything, imports it as it starts.
        from ses_feedback.aws.clients import Clients  # noqa: PLC0415

        return Clients()
