"""Mirror's sweep finds what no stream brought, and tells how long it has waited."""

from datetime import timedelta

import pytest

from ses_feedback.suppression.report import Followed
from ses_feedback.suppression.sync import READ_AT_ONCE, SETTLED, TRIES
from tests.support.builders import a_fact, strikes
from tests.support.sync_fixture import BROKEN, REFUSED, Office


@pytest.fixture
def office() -> Office:
    """An office."""
    return Office()


def test_the_sweep_takes_the_oldest_first(office: Office) -> None:
    """What has waited longest comes first; what the stream may still bring is left to it."""
    names = [f"{number}@example.com" for number in range(4)]
    for name in names:
        office.learn(a_fact(address=name))
        office.clock.sleep(SETTLED.total_seconds() / 2)
    done = office.sweep(after=timedelta(0))
    assert [call.address for call in office.list.calls] == names[:3]
    assert (done.put, office.due()) == (3, names[3:])


def test_the_sweep_finds_what_no_stream_brought(office: Office) -> None:
    """A change whose stream record was lost is announced and mirrored all the same."""
    office.learn(a_fact(), *strikes(1, address="other@example.com"))
    done = office.sweep()
    assert (done.put, done.announced, office.due()) == (1, 2, [])


def test_nothing_to_sweep(office: Office) -> None:
    """A sweep that finds nothing says nothing."""
    assert office.sweep() == Followed()


def test_the_sweep_tells_the_oldest_lag(office: Office) -> None:
    """Somebody must see when changes wait too long, also when nothing of them gets done."""
    office.learn(a_fact())
    office.list.refusals = [BROKEN] * TRIES
    done = office.sweep(after=timedelta(minutes=30))
    # Half an hour, and the two seconds between the three tries.
    assert done.tally.longest == {("", "SuppressionLag"): (30 * 60 + 2) * 1000}


def test_the_sweep_adds_its_batches_up() -> None:
    """A sweep of more contacts than are read at once does all of them, and tells of all."""
    office = Office(rate=1000)
    number = READ_AT_ONCE + 5
    office.learn(*(a_fact(address=f"{one}@example.com") for one in range(number)))
    office.list.refusals = [None] * READ_AT_ONCE + [BROKEN] * TRIES + [REFUSED]
    done = office.sweep()
    assert (done.put, done.announced, len(done.left), done.refused) == (number - 2, number, 1, {REFUSED.code: 1})
    assert done.tally.total("ContactSuppressed") == number


def test_the_sweep_ends_in_time() -> None:
    """When time is up, no more contacts are read."""
    office = Office(rate=0.5)
    number = 3 * READ_AT_ONCE
    office.learn(*(a_fact(address=f"{one}@example.com") for one in range(number)))
    done = office.sweep()
    # A turn every two seconds of 300: the second batch is begun and not finished, the third is never read.
    assert (done.put, len(done.left), done.announced) == (151, 49, 200)


def test_the_lag_of_the_list(office: Office) -> None:
    """From a contact's change to its entry, the longest, by its stream of mail."""
    office.learn(a_fact())
    office.clock.sleep(12.5)
    done = office.follow()
    assert done.tally.longest == {("receipts", "SuppressionLag"): 12_500}
