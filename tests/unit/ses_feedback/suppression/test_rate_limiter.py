"""RateLimiter: the calls of all workers together stay below the rate, also after lost races and faults."""

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.errors import AWS_ERRORS, CONDITION_FAILED
from ses_feedback.aws.refusals import OUT_OF_TIME, Refusal, RefusalKind
from ses_feedback.suppression.rate_limiter import KEY, RateLimiter
from tests.support.fakes import NOON, ManualClock
from tests.support.faulty_client import (
    Fault,
    FaultyClient,
    fails_with,
    loses_response,
    returns_garbage,
    runs_first,
    times_out,
)

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still."""
    return ManualClock()


@pytest.fixture
def client(clock: ManualClock) -> Iterator[FaultyClient]:
    """Return a DynamoDB client that records its calls."""
    with EmbeddedAws(clock) as aws:
        yield FaultyClient(aws.client("dynamodb"))


def a_rate_limiter(client: FaultyClient, clock: ManualClock, rate: float = 1.0) -> RateLimiter:
    """Return the rate limiter of a new worker."""
    return RateLimiter(client, "Contacts", rate, now=clock.now, sleep=clock.sleep)


def call_times(client: FaultyClient, workers: int, rate: float, number: int) -> list[datetime]:
    """Return the times of `number` SES calls by workers with clocks of their own."""
    random_numbers = random.Random(workers * rate)  # noqa: S311 (durations)
    times: list[datetime] = []
    waiting = [(NOON, worker) for worker in range(workers)]
    while len(times) < number:
        # The worker with the earliest clock continues, so that reservations arrive in a realistic order.
        now, worker = heapq.heappop(waiting)
        clock = ManualClock(now)
        slow = runs_first(lambda: clock.sleep(random_numbers.choice((0.0, 0.02, 0.045))))  # noqa: B023 (it is used in here only)
        client.faults[len(client.calls) + 1] = slow
        assert a_rate_limiter(client, clock, rate).acquire(now + timedelta(days=1)) is None
        times.append(clock.now())
        clock.sleep(random_numbers.choice((0.0, 0.0004, 0.3, 2.5)))
        heapq.heappush(waiting, (clock.now(), worker))
    return sorted(times)


@pytest.mark.parametrize(("workers", "rate"), [(1, 1.0), (3, 1.0), (8, 3.0), (5, 0.25), (2, 100.0)])
def test_calls_of_all_workers_are_an_interval_apart(client: FaultyClient, workers: int, rate: float) -> None:
    gaps = [later - sooner for sooner, later in itertools.pairwise(call_times(client, workers, rate, 40))]
    assert min(gaps) >= timedelta(seconds=1 / rate)


def test_busy_workers_make_nearly_as_many_calls_as_the_rate_allows(client: FaultyClient) -> None:
    times = call_times(client, 8, 1.0, 40)
    assert times[-1] - times[0] <= timedelta(seconds=39 * 1.1)


def test_a_call_is_not_early_although_moments_are_stored_in_milliseconds(client: FaultyClient) -> None:
    clock = ManualClock(NOON + timedelta(microseconds=999))
    times: list[datetime] = []
    for _ in range(3):
        assert a_rate_limiter(client, clock).acquire(LATER) is None
        times.append(clock.now())
    assert min(later - sooner for sooner, later in itertools.pairwise(times)) >= timedelta(seconds=1)


def test_a_worker_that_loses_a_race_takes_a_later_moment(client: FaultyClient, clock: ManualClock) -> None:
    other = ManualClock()
    client.faults[1] = runs_first(lambda: a_rate_limiter(client, other).acquire(LATER))
    assert a_rate_limiter(client, clock).acquire(LATER) is None
    assert [other.now() - NOON, clock.now() - NOON >= timedelta(seconds=1)] == [timedelta(0), True]
    assert clock.now() - NOON < timedelta(seconds=1.1)


def test_a_moment_that_passed_during_its_reservation_is_not_used(client: FaultyClient, clock: ManualClock) -> None:
    """The moment of the next worker may have come. A later moment is reserved."""
    client.faults[1] = runs_first(lambda: clock.sleep(1.2))
    assert a_rate_limiter(client, clock).acquire(LATER) is None
    called_at = clock.now()
    assert client.count("update_item") == 2
    assert a_rate_limiter(client, clock).acquire(LATER) is None
    assert clock.now() - called_at >= timedelta(seconds=1)


def test_a_worker_that_loses_races_until_its_deadline_is_refused_without_a_wait(
    client: FaultyClient, clock: ManualClock
) -> None:
    def reserve_as_another_worker() -> None:
        assert a_rate_limiter(FaultyClient(client.client), ManualClock(clock.now())).acquire(LATER) is None

    client.default_fault = lambda operation, real, request: (
        runs_first(reserve_as_another_worker)(operation, real, request)
        if operation == "update_item"
        else real(**request)
    )
    assert a_rate_limiter(client, clock).acquire(NOON + timedelta(seconds=4.5)) == OUT_OF_TIME
    assert (client.count("update_item"), clock.sleeps) == (5, [])


def test_without_a_moment_before_the_deadline_nothing_is_written(client: FaultyClient, clock: ManualClock) -> None:
    assert a_rate_limiter(client, clock).acquire(NOON) is None
    client.calls.clear()
    assert a_rate_limiter(client, clock).acquire(NOON + timedelta(seconds=0.9)) == OUT_OF_TIME
    assert [call.operation for call in client.calls] == ["get_item"]


def test_a_moment_at_the_deadline_is_granted_and_a_later_one_is_refused(
    client: FaultyClient, clock: ManualClock
) -> None:
    assert a_rate_limiter(client, clock).acquire(NOON) is None
    assert (
        a_rate_limiter(client, ManualClock(NOON + timedelta(seconds=2))).acquire(NOON + timedelta(seconds=1.999))
        == OUT_OF_TIME
    )


def test_the_latest_moment_is_read_consistently(client: FaultyClient, clock: ManualClock) -> None:
    """After a stale read, the reservation would fail."""
    a_rate_limiter(client, clock).acquire(LATER)
    assert client.calls[0].request == {"TableName": "Contacts", "Key": KEY, "ConsistentRead": True}


def test_a_reservation_whose_response_was_lost_costs_one_interval(client: FaultyClient, clock: ManualClock) -> None:
    """Botocore repeats the call, which fails because the moment is reserved. The worker reserves the next one."""

    def repeated(operation: str, real: Callable[..., object], request: dict[str, object]) -> object:
        with pytest.raises(AWS_ERRORS):
            loses_response(operation, real, request)
        return real(**request)

    client.faults[1] = repeated
    assert a_rate_limiter(client, clock).acquire(LATER) is None
    assert timedelta(seconds=1) <= clock.now() - NOON < timedelta(seconds=1.1)


@pytest.mark.parametrize("call", [0, 1])
@pytest.mark.parametrize(
    ("fault", "code"), [(fails_with("InternalServerError"), "InternalServerError"), (times_out, "ReadTimeoutError")]
)
def test_a_fault_of_dynamodb_is_returned_as_a_refusal(
    client: FaultyClient, clock: ManualClock, fault: Fault, call: int, code: str
) -> None:
    client.faults[call] = fault
    assert a_rate_limiter(client, clock).acquire(LATER) == Refusal(RefusalKind.UNAVAILABLE, code)


def test_a_malformed_success_of_a_reservation_is_a_refusal(client: FaultyClient, clock: ManualClock) -> None:
    client.faults[1] = returns_garbage
    assert a_rate_limiter(client, clock).acquire(LATER) == Refusal(RefusalKind.UNAVAILABLE, "MalformedResponseError")


def test_after_a_malformed_read_the_interval_is_kept(client: FaultyClient, clock: ManualClock) -> None:
    """The reservation fails, because it expects no reserved moment."""
    assert a_rate_limiter(client, clock).acquire(LATER) is None
    client.faults[len(client.calls)] = returns_garbage
    assert a_rate_limiter(client, clock).acquire(LATER) is None
    assert clock.now() - NOON >= timedelta(seconds=1)


def test_a_malformed_moment_on_the_item_is_replaced(client: FaultyClient, clock: ManualClock) -> None:
    """The rate limiter does not call DynamoDB in a loop until the deadline."""
    client.client.put_item(TableName="Contacts", Item={**KEY, "reserved_at": {"S": "yesterday"}})
    client.faults[20] = fails_with("TooManyCalls")
    assert a_rate_limiter(client, clock).acquire(NOON + timedelta(seconds=5)) is None


def test_only_a_failed_condition_is_a_lost_race(client: FaultyClient, clock: ManualClock) -> None:
    client.faults = {1: fails_with(CONDITION_FAILED), 3: fails_with("ValidationException")}
    assert a_rate_limiter(client, clock).acquire(LATER) == Refusal(RefusalKind.UNAVAILABLE, "ValidationException")
