"""Mirror ends with the list in step, whoever else works on a contact, stalls or dies."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from ses_feedback.aws.errors import CONDITION_FAILED
from ses_feedback.contacts.status import Status
from ses_feedback.judging.facts import Verdict
from ses_feedback.suppression.sync import CLAIM, TRIES
from tests.support.builders import RECIPIENT, a_fact, an_echo, on_day
from tests.support.deployed_functions import TIMEOUT
from tests.support.fakes import ListCall
from tests.support.sync_fixture import BOUNCE, BROKEN, COMPLAINT, UNANSWERED, Office, dies


@pytest.fixture
def office() -> Office:
    """An office."""
    return Office()


def test_a_change_between_call_and_mark_repeats_the_call(office: Office) -> None:
    """A contact that moved while SES was called is not done: it is read again, and called for again."""
    office.learn(a_fact())
    office.list.interrupt = lambda: office.learn(a_fact(Verdict.COMPLAIN))
    done = office.follow()
    assert office.list.calls == [ListCall(RECIPIENT, BOUNCE), ListCall(RECIPIENT, COMPLAINT)]
    assert (done.put, done.left, office.contact().mirrored) == (1, {}, "COMPLAINT")


def test_a_reinstatement_between_call_and_mark(office: Office) -> None:
    """An entry that is not wanted any more when it is written is deleted in the same run."""
    office.learn(a_fact())
    office.list.interrupt = office.reinstate
    done = office.follow()
    assert office.list.calls == [ListCall(RECIPIENT, BOUNCE), ListCall(RECIPIENT, None)]
    assert (office.entries(), done.deleted, done.put) == ({}, 1, 0)


def test_a_change_that_needs_no_entry_repeats_the_call_too(office: Office) -> None:
    """`rev` moved, so what was written may be stale: any change repeats."""
    office.learn(a_fact())
    office.list.interrupt = lambda: office.learn(a_fact(Verdict.DELIVERED))
    office.follow()
    assert (len(office.list.calls), office.due()) == (2, [])


def test_a_change_before_the_claim(office: Office) -> None:
    """Who loses the race for the claim reads again, and calls SES once."""
    office.learn(an_echo())
    office.follow()
    office.learn(a_fact(at=on_day(1)))
    office.contacts.interrupt = lambda: office.learn(a_fact(Verdict.COMPLAIN))
    done = office.follow()
    assert (office.list.calls, done.left) == ([ListCall(RECIPIENT, COMPLAINT)], {})


def test_a_change_before_the_announcement_is_marked(office: Office) -> None:
    """What was announced is not what the contact is any more, so it is handed back, and announced next time."""
    office.learn(a_fact())
    office.contacts.interrupt = lambda: office.learn(a_fact(Verdict.COMPLAIN))
    assert office.follow().left == {RECIPIENT: CONDITION_FAILED}
    office.follow()
    told = [(change.old_status, change.new_status) for change in office.announcer.announced]
    assert told == [(Status.ACTIVE, Status.BOUNCED), (Status.ACTIVE, Status.COMPLAINED)]


def stall_while(office: Office, happening: Callable[[], object]) -> None:
    """Let the next caller of SES stall before its call, until after its claim has run out, while something happens."""

    def stall() -> None:
        office.clock.sleep((CLAIM + timedelta(seconds=1)).total_seconds())
        happening()

    office.list.interrupt = stall


def test_another_workers_claim_is_respected(office: Office) -> None:
    """Who meets another's claim leaves the contact to it, and does not hold up the stream for it."""
    office.learn(a_fact())
    met: list[dict[str, str]] = []
    office.list.interrupt = lambda: met.append(office.follow(worker="another").left)
    office.follow()
    assert (met, len(office.list.calls)) == ([{}], 1)
    assert (office.entries(), office.due()) == ({RECIPIENT: "BOUNCE"}, [])


def test_another_workers_claim_is_respected_after_a_lost_race(office: Office) -> None:
    """Who loses the race for the claim to another worker leaves the contact to it."""
    office.learn(an_echo())
    office.follow()
    office.learn(a_fact(at=on_day(1)))

    def another_claims_and_dies() -> None:
        office.list.interrupt = dies
        with pytest.raises(KeyboardInterrupt):
            office.follow(worker="another")

    office.contacts.interrupt = another_claims_and_dies
    done = office.follow()
    assert (done.left, len(office.list.calls), office.contact().claim.split("-")[0]) == ({}, 1, "another")


def test_a_dead_workers_claim_runs_out(office: Office) -> None:
    """The sweep takes over what a worker that died had claimed, once the claim has run out, and no sooner."""
    office.learn(a_fact())
    office.list.interrupt = dies
    with pytest.raises(KeyboardInterrupt):
        office.follow()
    assert office.contact().claimed_until == office.clock.now() + CLAIM
    assert office.sweep(after=CLAIM - timedelta(seconds=1)).put == 0
    assert office.sweep(after=timedelta(seconds=1)).put == 1
    assert (office.entries(), office.due(), office.contact().claim) == ({RECIPIENT: "BOUNCE"}, [], "")


def test_a_claim_that_can_not_be_given_back_runs_out(office: Office) -> None:
    """Not even the same worker goes on with it: a claim stands for one run's calls."""
    office.learn(a_fact())
    office.list.refusals = [BROKEN] * TRIES

    def change() -> None:
        office.learn(a_fact(Verdict.COMPLAIN))

    office.list.interrupt, mirror = change, office.worker()
    left = [mirror.follow([RECIPIENT], office.clock.now() + TIMEOUT).left for _ in range(2)]
    assert (left, len(office.list.calls)) == ([{RECIPIENT: BROKEN.code}, {}], TRIES)
    office.sweep(after=CLAIM)
    assert (office.entries(), office.due(), office.contact().claim) == ({RECIPIENT: "COMPLAINT"}, [], "")


def test_a_call_without_an_answer_keeps_its_claim(office: Office) -> None:
    """It may yet be carried out: until it can't be any more, nobody writes what it might undo."""
    office.learn(a_fact())
    office.list.refusals, mirror = [UNANSWERED], office.worker()
    done = mirror.follow([RECIPIENT], office.clock.now() + TIMEOUT)
    assert (done.left, len(office.list.calls)) == ({RECIPIENT: UNANSWERED.code}, 1)
    office.reinstate()
    left = [mirror.follow([RECIPIENT], office.clock.now() + TIMEOUT).left for mirror in (mirror, office.worker())]
    assert (left, len(office.list.calls)) == ([{}, {}], 1)
    office.list.entries = {RECIPIENT: BOUNCE}
    assert office.sweep(after=CLAIM).deleted == 1
    assert (office.entries(), office.due()) == ({}, [])


def test_a_stale_writer(office: Office) -> None:
    """A worker stalls before its call for longer than its claim; meanwhile the contact is reinstated and mirrored.

    Its call, when it comes, is wrong: it must notice, and put it right.
    """
    office.learn(a_fact())

    def meanwhile() -> None:
        office.reinstate()
        assert office.follow(worker="another").deleted == 1

    stall_while(office, meanwhile)
    office.follow(within=timedelta(hours=1))
    assert [call.reason for call in office.list.calls] == [BOUNCE, None, None]
    assert (office.entries(), office.due()) == ({}, [])


def test_a_stale_writer_and_a_second_change(office: Office) -> None:
    """The stalled worker ends with what the contact is when it looks, not with what it was when it stalled."""
    office.learn(a_fact())

    def meanwhile() -> None:
        office.follow(worker="another")
        office.learn(a_fact(Verdict.COMPLAIN))
        office.follow(worker="another")

    stall_while(office, meanwhile)
    office.follow(within=timedelta(hours=1))
    assert (office.entries(), office.due()) == ({RECIPIENT: "COMPLAINT"}, [])


def test_a_stale_writer_out_of_time(office: Office) -> None:
    """It has no time to put it right, and so leaves the contact due, for the sweep."""
    office.learn(a_fact())

    def meanwhile() -> None:
        office.reinstate()
        office.follow(worker="another")

    stall_while(office, meanwhile)
    assert office.follow().left == {RECIPIENT: "out-of-time"}
    office.sweep(after=CLAIM)
    assert (office.entries(), office.due()) == ({}, [])


def test_a_stale_writer_that_dies(office: Office) -> None:
    """The stalled worker notices, and dies before it has put it right: the contact is due again, for the sweep."""
    office.learn(a_fact())

    def meanwhile() -> None:
        office.reinstate()
        office.follow(worker="another")
        office.list.interrupt = dies

    stall_while(office, meanwhile)
    with pytest.raises(KeyboardInterrupt):
        office.follow(within=timedelta(hours=1))
    assert (office.entries(), office.due()) == ({RECIPIENT: "BOUNCE"}, [RECIPIENT])
    office.sweep(after=CLAIM)
    assert (office.entries(), office.due()) == ({}, [])


def test_a_claim_outlives_the_function() -> None:
    """No worker that may still write has lost its claim: a function lives shorter than a claim holds."""
    assert CLAIM > TIMEOUT
