"""Read-only calls to AWS: paced, memoized, and with three errors instead of botocore's."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from feedbackctl.aws_failures import DENIED, THROTTLED
from ses_feedback.aws.errors import error_code

_IAM_PREFIXES = {"sesv2": "ses"}
"""Prefixes of IAM actions that differ from the names of botocore's services."""
_MISSING = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
    }
)
_ATTEMPTS = 4
"""Attempts of a throttled call, beside those of botocore: the functions of the stack use the same quota of SES."""
_PACE = 1.0
"""Seconds between two calls of one SES operation: https://docs.aws.amazon.com/ses/latest/dg/quotas.html"""


class ReadError(Exception):
    """A reading failed. The text is for the operator."""


class NotPermittedError(ReadError):
    """The caller lacks the permission for `action`, an IAM action."""

    def __init__(self, action: str) -> None:
        super().__init__(f"not permitted: {action}")
        self.action = action


class NotFoundError(ReadError):
    """The thing does not exist."""


class UnavailableError(ReadError):
    """AWS cannot be reached, or refused the call for a reason that says nothing about the thing."""


@dataclass(slots=True)
class AwsReader:
    """Reads from AWS. The same reading is made once, also from several threads.

    `client` returns botocore's client of a service. Calls of one SES operation are at least a second apart.
    """

    client: Callable[[str], Any]
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    calls: int = 0
    actions: set[str] = field(default_factory=set)
    """The IAM actions of the calls so far."""
    _results: dict[str, Any] = field(default_factory=dict)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _next_call: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, service: str, operation: str, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Return the response to an operation, which is named as in botocore: `read("sns", "get_topic_attributes")`.

        Raises:
            NotPermittedError: IAM or a resource policy refuses the call.
            NotFoundError: the thing does not exist.
            UnavailableError: there is no useful response.

        """
        key = f"{service}.{operation}({sorted(request.items())!r})"
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._results:
                self._results[key] = self._try(service, operation, request)
        result = self._results[key]
        if isinstance(result, ReadError):
            raise result
        response: Mapping[str, Any] = result
        return response

    def read_pages(self, service: str, operation: str, items: str, limit: int = 10_000, **request: Any) -> list[Any]:  # noqa: ANN401
        """Return the items of all pages, at most about `limit`. The token has the same name in both directions.

        Raises:
            ReadError: as `read`.

        """
        found: list[Any] = []
        token: dict[str, str] = {}
        while True:
            page = self.read(service, operation, **request, **token)
            found += page.get(items, [])
            name = next((each for each in ("NextToken", "Marker", "NextMarker") if page.get(each)), None)
            if name is None or len(found) >= limit:
                return found
            token = {"Marker" if name == "NextMarker" else name: page[name]}

    def _try(self, service: str, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any] | ReadError:
        if service in {"ses", "sesv2"}:
            self._wait_for_turn(f"{service}.{operation}")
        with self._lock:
            client = self.client(service)
            action = _iam_action(client, service, operation)
            self.calls += 1
            self.actions.add(action)
        return self._call(client, operation, request, action)

    def _call(
        self,
        client: Any,  # noqa: ANN401 (botocore's client)
        operation: str,
        request: Mapping[str, Any],
        action: str,
    ) -> Mapping[str, Any] | ReadError:
        """Return the response to a call, or why there is none. A throttled call is repeated."""
        service = action.partition(":")[0]
        attempts = 0
        while True:
            attempts += 1
            try:
                response: Mapping[str, Any] = getattr(client, operation)(**request)
            except ClientError as error:
                if attempts == _ATTEMPTS or error_code(error) not in THROTTLED:
                    return _to_read_error(service, action, error)
                self.sleep(_PACE * attempts)
            except (BotoCoreError, OSError) as error:
                return UnavailableError(f"{service} cannot be reached: {type(error).__name__}")
            else:
                return response

    def _wait_for_turn(self, operation: str) -> None:
        with self._lock:
            now = self.monotonic()
            turn = max(now, self._next_call.get(operation, 0.0))
            self._next_call[operation] = turn + _PACE
        if turn > now:
            self.sleep(turn - now)


def _iam_action(client: Any, service: str, operation: str) -> str:  # noqa: ANN401 (botocore's client)
    """Return the IAM action of an operation: its name in the API, after the prefix of the service."""
    return f"{_IAM_PREFIXES.get(service, service)}:{client.meta.method_to_api_mapping[operation]}"


def _to_read_error(service: str, action: str, error: ClientError) -> ReadError:
    code = error_code(error)
    if code in DENIED:
        return NotPermittedError(action)
    return NotFoundError(code) if code in _MISSING else UnavailableError(f"{service} answered {code}")
