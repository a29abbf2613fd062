"""The AWS clients of a Lambda function: DynamoDB directly, the other services through botocore when first needed."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ses_feedback.aws.dynamodb.client import connect
from ses_feedback.aws.endpoints import Access

if TYPE_CHECKING:
    from ses_feedback.aws.clients import Clients


class FunctionClients:
    """The clients of `Clients`, with the direct DynamoDB client if there is an `access`."""

    def __init__(self, access: Access | None) -> None:
        """Use botocore for DynamoDB, too, if `access` is None."""
        self._access = access

    @cached_property
    def dynamodb(self) -> Any:  # noqa: ANN401 (botocore creates the methods of its clients at run time, here and below)
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
        # Importing botocore is half of a cold start. A feedback function without faults never needs it.
        # SuppressionFunction always does, and imports it when it starts.
        from ses_feedback.aws.clients import Clients  # noqa: PLC0415

        return Clients()
