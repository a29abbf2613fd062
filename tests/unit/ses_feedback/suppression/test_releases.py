"""SuspensionReleases: the end of suspensions."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from ses_feedback.contacts.status import Limits, Status
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import Verdict
from ses_feedback.suppression.releases import MAX_RELEASES_A_RUN, SuspensionReleases
from tests.support.builders import RECIPIENT, a_fact, on_day, soft_bounce_days
from tests.support.deployed_functions import EmbeddedStack, embedded_stack

LATER = timedelta(hours=1)


@pytest.fixture
def stack() -> Iterator[EmbeddedStack]:
    """Return an emulated AWS."""
    with embedded_stack() as stack:
        yield stack


def release(
    stack: EmbeddedStack,
    limits: Limits | None = None,
    *,
    within: timedelta = LATER,
    max_releases: int = MAX_RELEASES_A_RUN,
) -> int:
    """End suspensions; return their number."""
    ending = SuspensionReleases(stack.repository(), limits or stack.settings.limits, stack.clock.now, max_releases)
    return ending.release_ended(stack.clock.now() + within)


def suspend(stack: EmbeddedStack, *addresses: str) -> None:
    """Store soft bounces of five days for each address."""
    for address in addresses:
        stack.learn(*soft_bounce_days(0, 1, 2, 3, 4, address=address))


def sleep_until_the_end(stack: EmbeddedStack) -> None:
    """Sleep until a suspension ends that began on day 4."""
    ends_at = on_day(4) + timedelta(days=stack.settings.suspension_days + 1)
    stack.clock.sleep((ends_at - stack.clock.now()).total_seconds())


def test_a_suspension_that_is_over_is_ended_once_and_its_event_is_pending(stack: EmbeddedStack) -> None:
    suspend(stack, RECIPIENT)
    sleep_until_the_end(stack)
    assert (release(stack), release(stack)) == (1, 0)
    stored = stack.contact(RECIPIENT)
    assert (stored.status, stored.publish_pending) == (Status.BOUNCING, stored.published is not Status.BOUNCING)


def test_a_suspension_that_is_not_over_is_kept(stack: EmbeddedStack) -> None:
    suspend(stack, RECIPIENT)
    assert (release(stack), stack.contact(RECIPIENT).status) == (0, Status.SUSPENDED)


def test_a_contact_with_a_stronger_status_is_kept(stack: EmbeddedStack) -> None:
    suspend(stack, RECIPIENT)
    stack.learn(a_fact(Verdict.COMPLAIN, on_day(5)))
    sleep_until_the_end(stack)
    assert (release(stack), stack.contact(RECIPIENT).status) == (0, Status.COMPLAINED)


def test_a_suspension_that_new_limits_extend_is_written_with_its_new_end(stack: EmbeddedStack) -> None:
    """Otherwise every sweep would read the contact again."""
    suspend(stack, RECIPIENT)
    sleep_until_the_end(stack)
    rev = stack.contact(RECIPIENT).rev
    longer = replace(stack.settings.limits, suspension_days=300)
    assert release(stack, longer) == 0
    stored = stack.contact(RECIPIENT)
    assert (stored.status, stored.rev) == (Status.SUSPENDED, rev + 1)


def test_no_suspension_is_ended_after_the_deadline(stack: EmbeddedStack) -> None:
    suspend(stack, RECIPIENT)
    sleep_until_the_end(stack)
    assert release(stack, within=timedelta(0)) == 0
    assert stack.contact(RECIPIENT).status is Status.SUSPENDED


def test_one_run_ends_at_most_the_maximum_and_the_next_run_continues(stack: EmbeddedStack) -> None:
    suspend(stack, *(f"{number}@example.com" for number in range(3)))
    sleep_until_the_end(stack)
    assert [release(stack, max_releases=2) for _ in range(3)] == [2, 1, 0]


def test_the_oldest_suspensions_end_first_whatever_the_order_in_which_contacts_are_read(stack: EmbeddedStack) -> None:
    oldest, later, latest = "z@example.com", "m@example.com", "a@example.com"
    for day, address in enumerate((oldest, later, latest)):
        stack.learn(*soft_bounce_days(*(day + one for one in range(5)), address=address))
    stack.clock.sleep(timedelta(days=60).total_seconds())
    assert release(stack, max_releases=2) == 2
    statuses = [stack.contact(address).status for address in (oldest, later, latest)]
    assert statuses == [Status.BOUNCING, Status.BOUNCING, Status.SUSPENDED]
