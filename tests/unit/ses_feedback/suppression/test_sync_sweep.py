"""ListSync's sweep finds what no stream brought, and tells how long it has waited."""

from datetime import timedelta

import pytest

from ses_feedback.suppression.entry_writer import ATTEMPTS
from ses_feedback.suppression.interfaces import READ_AT_ONCE
from ses_feedback.suppression.report import SyncReport
from ses_feedback.suppression.sync import SWEEP_AFTER
from tests.support.builders import a_fact, soft_bounce_days
from tests.support.sync_fixture import BROKEN, REFUSED, SyncFixture


@pytest.fixture
def fixture() -> SyncFixture:
    """An fixture."""
    return SyncFixture()


def test_the_sweep_takes_the_oldest_first(fixture: SyncFixture) -> None:
    """What has waited longest comes first; what the stream may still bring is left to it."""
    names = [f"{number}@example.com" for number in range(4)]
    for name in names:
        fixture.learn(a_fact(address=name))
        fixture.clock.sleep(SWEEP_AFTER.total_seconds() / 2)
    done = fixture.sweep(after=timedelta(0))
    assert [call.address for call in fixture.list.calls] == names[:3]
    assert (done.put, fixture.due()) == (3, names[3:])


def test_the_sweep_finds_what_no_stream_brought(fixture: SyncFixture) -> None:
    """A change whose stream record was lost is published and synced all the same."""
    fixture.learn(a_fact(), *soft_bounce_days(1, address="other@example.com"))
    done = fixture.sweep()
    assert (done.put, done.published, fixture.due()) == (1, 2, [])


def test_nothing_to_sweep(fixture: SyncFixture) -> None:
    """A sweep that finds nothing says nothing."""
    assert fixture.sweep() == SyncReport()


def test_the_sweep_tells_the_oldest_lag(fixture: SyncFixture) -> None:
    """Somebody must see when changes wait too long, also when nothing of them gets done."""
    fixture.learn(a_fact())
    fixture.list.refusals = [BROKEN] * ATTEMPTS
    done = fixture.sweep(after=timedelta(minutes=30))
    # Half an hour, and the two seconds between the three tries.
    assert done.metric_counts.longest == {("", "SuppressionLag"): (30 * 60 + 2) * 1000}


def test_the_sweep_adds_its_batches_up() -> None:
    """A sweep of more contacts than are read at once does all of them, and tells of all."""
    fixture = SyncFixture(rate=1000)
    number = READ_AT_ONCE + 5
    fixture.learn(*(a_fact(address=f"{one}@example.com") for one in range(number)))
    fixture.list.refusals = [None] * READ_AT_ONCE + [BROKEN] * ATTEMPTS + [REFUSED]
    done = fixture.sweep()
    assert (done.put, done.published, len(done.pending), done.rejected) == (number - 2, number, 1, {REFUSED.code: 1})
    assert done.metric_counts.total("ContactSuppressed") == number


def test_the_sweep_ends_in_time() -> None:
    """When time is up, no more contacts are read."""
    fixture = SyncFixture(rate=0.5)
    number = 3 * READ_AT_ONCE
    fixture.learn(*(a_fact(address=f"{one}@example.com") for one in range(number)))
    done = fixture.sweep()
    # A turn every two seconds of 300: the second batch is begun and not finished, the third is never read.
    assert (done.put, len(done.pending), done.published) == (151, 49, 200)


def test_the_lag_of_the_list(fixture: SyncFixture) -> None:
    """From a contact's change to its entry, the longest, by its stream of mail."""
    fixture.learn(a_fact())
    fixture.clock.sleep(12.5)
    done = fixture.sync()
    assert done.metric_counts.longest == {("receipts", "SuppressionLag"): 12_500}
