"""Keep the calls of all list_sync workers together to SES's one call a second for the account.

Each call first reserves its moment on one item of the contacts table, so that workers on several stream shards and
the sweep take rate_limiter instead of adding up.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import ClientError

from ses_feedback.aws.errors import AWS_ERRORS, CONDITION_FAILED, error_code, require
from ses_feedback.aws.refusals import OUT_OF_TIME, Refusal, RefusalKind
from ses_feedback.timestamps import format_timestamp, parse_timestamp

KEY = {"address": {"S": "suppression-list"}, "record": {"S": "rate_limiter"}}
"""The item the moments are reserved on. No address lacks an `@`, so it is nobody's contact."""


SLACK = timedelta(milliseconds=50)
"""How long after its moment a call may still begin; moments lie that much further apart, so calls never get closer."""


class RateLimiterClient(Protocol):
    """The calls of botocore's DynamoDB client that are made here."""

    def get_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102
    def update_item(self, **request: Any) -> Mapping[str, Any]: ...  # noqa: ANN401, D102


class RateLimiter:
    """At most `rate` calls a second, whoever makes them."""

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
        self._interval = timedelta(seconds=1 / rate) + SLACK
        self._now = now
        self._sleep = sleep

    def acquire(self, until: datetime) -> Refusal | None:
        """Wait for the next free moment and return None; or why there is none, without waiting, before `until`."""
        try:
            return self._wait_turn(until)
        except AWS_ERRORS as error:
            return Refusal(RefusalKind.UNAVAILABLE, error_code(error))

    def _wait_turn(self, until: datetime) -> Refusal | None:
        while True:
            last = self._last()
            taken = parse_timestamp(last["S"]) if last and "S" in last else None
            moment = max(self._now(), taken + self._interval) if taken else self._now()
            if moment > until:
                return OUT_OF_TIME
            if self._reserve(moment, last):
                self._sleep(max(0.0, (moment - self._now()).total_seconds()))
                if self._now() <= moment + SLACK:
                    return None
                # DynamoDB took so long that the next worker's moment may have come: this one has passed.

    def _last(self) -> Mapping[str, Any] | None:
        """Return the last moment taken, as DynamoDB has it, None when there is none."""
        item: Mapping[str, Any] = self._client.get_item(TableName=self._table, Key=KEY, ConsistentRead=True)
        last: Mapping[str, Any] | None = item.get("Item", {}).get("taken_at")
        return last

    def _reserve(self, moment: datetime, last: Mapping[str, Any] | None) -> bool:
        values: dict[str, Any] = {":moment": {"S": format_timestamp(moment)}}
        condition = "attribute_not_exists(taken_at)"
        if last:
            condition, values[":last"] = "taken_at = :last", last
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=KEY,
                UpdateExpression="SET taken_at = :moment",
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnConsumedCapacity="TOTAL",
            )
            require(answer, "ConsumedCapacity")
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                return False  # another worker took this moment
            raise
        return True
