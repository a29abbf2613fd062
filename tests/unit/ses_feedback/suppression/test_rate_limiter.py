"""RateLimiter keeps the calls of all workers together within SES's rate, also when writes conflict or fail."""

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
    """A clock."""
    return ManualClock()


@pytest.fixture
def client(clock: ManualClock) -> Iterator[FaultyClient]:
    """DynamoDB, its calls watched."""
    with EmbeddedAws(clock) as aws:
        yield FaultyClient(aws.client("dynamodb"))


def a_pace(client: FaultyClient, clock: ManualClock, rate: float = 1.0) -> RateLimiter:
    """Return the rate_limiter of a worker."""
    return RateLimiter(client, "Contacts", rate, now=clock.now, sleep=clock.sleep)


def calls(client: FaultyClient, workers: int, rate: float, number: int) -> list[datetime]:
    """Return when workers, each on its own time, made so many calls of SES."""
    chance = random.Random(workers * rate)  # noqa: S311 (how long work takes)
    made: list[datetime] = []
    waiting = [(NOON, worker) for worker in range(workers)]
    while len(made) < number:
        # The worker with the earliest time continues, so that reservations come in their real order.
        now, worker = heapq.heappop(waiting)
        clock = ManualClock(now)
        slow = runs_first(lambda: clock.sleep(chance.choice((0.0, 0.02, 0.045))))  # noqa: B023 (it is used in here only)
        client.faults[len(client.calls) + 1] = slow
        assert a_pace(client, clock, rate).acquire(now + timedelta(days=1)) is None
        made.append(clock.now())
        clock.sleep(chance.choice((0.0, 0.0004, 0.3, 2.5)))
        heapq.heappush(waiting, (clock.now(), worker))
    return sorted(made)


@pytest.mark.parametrize(("workers", "rate"), [(1, 1.0), (3, 1.0), (8, 3.0), (5, 0.25), (2, 100.0)])
def test_never_above_the_rate(client: FaultyClient, workers: int, rate: float) -> None:
    """However many workers share the table, and however long each takes, calls are an interval apart."""
    gaps = [later - sooner for sooner, later in itertools.pairwise(calls(client, workers, rate, 40))]
    assert min(gaps) >= timedelta(seconds=1 / rate)


def test_workers_waste_no_time(client: FaultyClient) -> None:
    """Workers that always have something to call make nearly as many calls as they may."""
    made = calls(client, 8, 1.0, 40)
    assert made[-1] - made[0] <= timedelta(seconds=39 * 1.1)


def test_the_call_comes_after_its_moment(client: FaultyClient) -> None:
    """A clock between two milliseconds brings no call forward."""
    clock = ManualClock(NOON + timedelta(microseconds=999))
    made: list[datetime] = []
    for _ in range(3):
        assert a_pace(client, clock).acquire(LATER) is None
        made.append(clock.now())
    assert min(later - sooner for sooner, later in itertools.pairwise(made)) >= timedelta(seconds=1)


def test_a_lost_race_takes_a_later_turn(client: FaultyClient, clock: ManualClock) -> None:
    """Who finds its moment taken by another waits for the next."""
    other = ManualClock()
    client.faults[1] = runs_first(lambda: a_pace(client, other).acquire(LATER))
    assert a_pace(client, clock).acquire(LATER) is None
    assert [other.now() - NOON, clock.now() - NOON >= timedelta(seconds=1)] == [timedelta(0), True]
    assert clock.now() - NOON < timedelta(seconds=1.1)


def test_a_moment_that_has_passed_is_not_taken(client: FaultyClient, clock: ManualClock) -> None:
    """When reserving takes so long that the next worker's moment has come, the turn is given up for a later one."""
    client.faults[1] = runs_first(lambda: clock.sleep(1.2))
    assert a_pace(client, clock).acquire(LATER) is None
    made = clock.now()
    assert client.count("update_item") == 2
    assert a_pace(client, clock).acquire(LATER) is None
    assert clock.now() - made >= timedelta(seconds=1)


def test_losing_races_until_there_is_no_time(client: FaultyClient, clock: ManualClock) -> None:
    """Who loses to others until its time is up gets no turn, and has not slept for one."""

    def taken_by_others() -> None:
        assert a_pace(FaultyClient(client.client), ManualClock(clock.now())).acquire(LATER) is None

    client.default_fault = lambda operation, real, request: (
        runs_first(taken_by_others)(operation, real, request) if operation == "update_item" else real(**request)
    )
    assert a_pace(client, clock).acquire(NOON + timedelta(seconds=4.5)) == OUT_OF_TIME
    assert (client.count("update_item"), clock.sleeps) == (5, [])


def test_no_turn_costs_no_write(client: FaultyClient, clock: ManualClock) -> None:
    """Who is too late reserves nothing."""
    assert a_pace(client, clock).acquire(NOON) is None
    client.calls.clear()
    assert a_pace(client, clock).acquire(NOON + timedelta(seconds=0.9)) == OUT_OF_TIME
    assert [call.operation for call in client.calls] == ["get_item"]


def test_a_turn_just_in_time(client: FaultyClient, clock: ManualClock) -> None:
    """A moment that is the last allowed is allowed."""
    assert a_pace(client, clock).acquire(NOON) is None
    assert (
        a_pace(client, ManualClock(NOON + timedelta(seconds=2))).acquire(NOON + timedelta(seconds=1.999)) == OUT_OF_TIME
    )


def test_the_moment_is_read_consistently(client: FaultyClient, clock: ManualClock) -> None:
    """A stale read would only lose races."""
    a_pace(client, clock).acquire(LATER)
    assert client.calls[0].request == {"TableName": "Contacts", "Key": KEY, "ConsistentRead": True}


def test_a_lost_answer_loses_a_turn_only(client: FaultyClient, clock: ManualClock) -> None:
    """A reservation that botocore repeats after a lost response counts as another worker's."""

    def twice(operation: str, real: Callable[..., object], request: dict[str, object]) -> object:
        with pytest.raises(AWS_ERRORS):
            loses_response(operation, real, request)
        return real(**request)

    client.faults[1] = twice
    assert a_pace(client, clock).acquire(LATER) is None
    assert timedelta(seconds=1) <= clock.now() - NOON < timedelta(seconds=1.1)


@pytest.mark.parametrize("call", [0, 1])
@pytest.mark.parametrize(
    ("fault", "code"), [(fails_with("InternalServerError"), "InternalServerError"), (times_out, "ReadTimeoutError")]
)
def test_no_turn_without_dynamodb(client: FaultyClient, clock: ManualClock, fault: Fault, call: int, code: str) -> None:
    """If no call can be reserved, none is allowed, and the reason is returned."""
    client.faults[call] = fault
    assert a_pace(client, clock).acquire(LATER) == Refusal(RefusalKind.UNAVAILABLE, code)


def test_no_turn_on_an_answer_that_proves_nothing(client: FaultyClient, clock: ManualClock) -> None:
    """A 200 that is not DynamoDB's reserves nothing."""
    client.faults[1] = returns_garbage
    assert a_pace(client, clock).acquire(LATER) == Refusal(RefusalKind.UNAVAILABLE, "MalformedResponseError")


def test_a_garbled_read_is_harmless(client: FaultyClient, clock: ManualClock) -> None:
    """Who can't read the moment taken fails to take it again."""
    assert a_pace(client, clock).acquire(LATER) is None
    client.faults[len(client.calls)] = returns_garbage
    assert a_pace(client, clock).acquire(LATER) is None
    assert clock.now() - NOON >= timedelta(seconds=1)


def test_a_moment_that_can_not_be_read(client: FaultyClient, clock: ManualClock) -> None:
    """If the item is malformed, the wait does not call DynamoDB in a loop until the deadline."""
    client.client.put_item(TableName="Contacts", Item={**KEY, "reserved_at": {"S": "yesterday"}})
    client.faults[20] = fails_with("the test ended it")
    assert a_pace(client, clock).acquire(NOON + timedelta(seconds=5)) is None


def test_the_condition_is_dynamodbs_own(client: FaultyClient, clock: ManualClock) -> None:
    """A lost race is told from every other refusal by its code."""
    client.faults = {1: fails_with(CONDITION_FAILED), 3: fails_with("ValidationException")}
    assert a_pace(client, clock).acquire(LATER) == Refusal(RefusalKind.UNAVAILABLE, "ValidationException")
