"""Rate limiter for the SES calls of all workers together.

SES allows one call a second per account: https://docs.aws.amazon.com/ses/latest/dg/quotas.html

Workers share the rate through one item of the contacts table. Before a call, a worker reserves the next free moment on
that item, under an optimistic lock.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ses_feedback.aws.errors import AWS_ERRORS, CONDITION_FAILED, error_code, require
from ses_feedback.aws.refusals import OUT_OF_TIME, Refusal, RefusalKind
from ses_feedback.timestamps import format_timestamp, parse_timestamp

KEY = {"address": {"S": "suppression-list"}, "record": {"S": "rate_limiter"}}
"""The key of the item with the latest reserved moment. No contact has it, because an address contains an `@`."""

TOLERANCE = timedelta(milliseconds=50)
"""How long after its reserved moment a call may begin. Moments are reserved that much further apart."""


class RateLimiterClient(Protocol):
    """The methods of a DynamoDB client that the rate limiter calls."""

    def get_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102
    def update_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102


class RateLimiter:
    """Allows `rate` calls a second, counted over all workers."""

    def __init__(
        self,
        client: RateLimiterClient,
        table: str,
        rate: float,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        """Reserve moments in `table` through `client`; `rate` is in calls a second."""
        self._client = client
        self._table = table
        self._interval = timedelta(seconds=1 / rate) + TOLERANCE
        self._now = now
        self._sleep = sleep

    def acquire(self, deadline: datetime) -> Refusal | None:
        """Wait until a call may be made, then return None.

        Return a refusal without waiting if no moment is free before `deadline`, or if DynamoDB fails.
        """
        try:
            return self._wait_for_moment(deadline)
        except AWS_ERRORS as error:
            return Refusal(RefusalKind.UNAVAILABLE, error_code(error))

    def _wait_for_moment(self, deadline: datetime) -> Refusal | None:
        while True:
            latest = self._latest()
            reserved = parse_timestamp(latest["S"]) if latest and "S" in latest else None
            moment = max(self._now(), reserved + self._interval) if reserved else self._now()
            if moment > deadline:
                return OUT_OF_TIME
            if self._reserve(moment, latest):
                self._sleep(max(0.0, (moment - self._now()).total_seconds()))
                if self._now() <= moment + TOLERANCE:
                    return None
                # DynamoDB answered so late that the moment of the next worker may have come. Reserve a later one.

    def _latest(self) -> Mapping[str, Any] | None:
        """Return the attribute with the latest reserved moment, or None if there is none."""
        answer = self._client.get_item(TableName=self._table, Key=KEY, ConsistentRead=True)
        item: Mapping[str, Any] = answer.get("Item", {})
        latest: Mapping[str, Any] | None = item.get("reserved_at")
        return latest

    def _reserve(self, moment: datetime, latest: Mapping[str, Any] | None) -> bool:
        """Reserve `moment` if `latest` is still the latest one; return True if it was reserved."""
        values: dict[str, Any] = {":moment": {"S": format_timestamp(moment)}}
        condition = "attribute_not_exists(reserved_at)"
        if latest:
            condition, values[":latest"] = "reserved_at = :latest", latest
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=KEY,
                UpdateExpression="SET reserved_at = :moment",
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnConsumedCapacity="TOTAL",
            )
            require(answer, "ConsumedCapacity")
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                return False  # another worker reserved a moment
            raise
        return True
