"""ListSync makes the suppression list sync the contacts, whatever SES and DynamoDB answer."""

from datetime import timedelta
from itertools import pairwise

import pytest

from ses_feedback.aws.refusals import Refusal, RefusalKind
from ses_feedback.contacts.status import Limits, Status
from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.suppression.entry_writer import ATTEMPTS, FAILED_RETRY_AFTER, REJECTED_RETRY_AFTER
from ses_feedback.suppression.lease import LEASE_DURATION
from ses_feedback.suppression.report import SyncReport
from ses_feedback.suppression.sync import SWEEP_AFTER
from tests.support.builders import RECIPIENT, a_fact, an_echo, on_day, soft_bounce_days
from tests.support.fakes import ListCall
from tests.support.sync_fixture import BOUNCE, BROKEN, COMPLAINT, REFUSED, THROTTLED, SyncFixture


@pytest.fixture
def fixture() -> SyncFixture:
    """An fixture."""
    return SyncFixture()


# --- The list follows ------------------------------------------------------------------------------------------------

WANTED = [
    ([a_fact(Verdict.COMPLAIN)], "COMPLAINT"),
    ([a_fact(Verdict.SUPPRESS)], "BOUNCE"),
    (soft_bounce_days(1, 2, 3, 4, 5), "BOUNCE"),
    ([an_echo(), a_fact(Verdict.COMPLAIN)], "COMPLAINT"),
]


@pytest.mark.parametrize(("facts", "reason"), WANTED, ids=["complained", "bounced", "suspended", "echo outdone"])
def test_put(facts: list[Fact], reason: str) -> None:
    """What may not be sent to goes on the list, and is done with."""
    fixture = SyncFixture(limits=Limits(list_suspended=True))
    fixture.learn(*facts)
    done = fixture.sync()
    assert (fixture.entries(), done.put, done.pending, fixture.due()) == ({RECIPIENT: reason}, 1, {}, [])
    assert (fixture.contact().synced, fixture.contact().lease) == (reason, "")


@pytest.mark.parametrize(
    "facts", [soft_bounce_days(1), [a_fact(Verdict.DELIVERED)], [a_fact(Verdict.UNSUBSCRIBE)], [an_echo()]]
)
def test_no_call(fixture: SyncFixture, facts: list[Fact]) -> None:
    """What does not belong on the list, or is there already, costs no call of SES."""
    fixture.learn(*facts)
    fixture.sync()
    assert (fixture.list.calls, fixture.due(), fixture.rate_limiter.taken) == ([], [], [])


def test_the_unsubscribed_are_listed_if_the_stack_says_so() -> None:
    """Then an opt-out stops all mail."""
    fixture = SyncFixture(limits=Limits(list_unsubscribed=True))
    fixture.learn(a_fact(Verdict.UNSUBSCRIBE))
    fixture.sync()
    assert fixture.entries() == {RECIPIENT: "COMPLAINT"}


def test_the_reason_is_the_stored_contacts(fixture: SyncFixture) -> None:
    """Two changes that come one by one find the contact as it is: the reason is never that of one event."""
    fixture.learn(a_fact(Verdict.COMPLAIN))
    fixture.learn(a_fact(Verdict.SUPPRESS, on_day(2)))
    fixture.sync()
    fixture.sync()
    assert fixture.list.calls == [ListCall(RECIPIENT, COMPLAINT)]


def test_a_stronger_reason_replaces_a_weaker(fixture: SyncFixture) -> None:
    """The list says why the contact is what it is now."""
    fixture.learn(a_fact(Verdict.SUPPRESS))
    fixture.sync()
    fixture.learn(a_fact(Verdict.COMPLAIN))
    fixture.sync()
    assert fixture.entries() == {RECIPIENT: "COMPLAINT"}


def test_a_reinstated_contact_leaves_the_list(fixture: SyncFixture) -> None:
    """Whatever put the entry there, us or SES, under whatever variant it told us of."""
    fixture.learn(a_fact(address="Recipient@example.com"))
    fixture.list.entries = {RECIPIENT: BOUNCE, "Recipient@example.com": COMPLAINT}
    fixture.clock.sleep(60)
    fixture.reinstate()
    done = fixture.sync()
    assert (fixture.entries(), done.deleted, done.put) == ({}, 1, 0)
    assert (fixture.contact().synced, fixture.due()) == ("NONE", [])


def test_a_suspension_lifts(fixture: SyncFixture) -> None:
    """A delivery after a suspension takes the contact off the list."""
    fixture.learn(*soft_bounce_days(1, 2, 3, 4, 5))
    fixture.sync()
    fixture.learn(a_fact(Verdict.DELIVERED, on_day(6)))
    fixture.sync()
    assert [fixture.entries(), fixture.contact().status] == [{}, Status.ACTIVE]


def test_every_spelling_is_put(fixture: SyncFixture) -> None:
    """SES keeps variants apart, so each is an entry; one more is put when it rate_limiter up."""
    fixture.learn(a_fact(address="Recipient@example.com"), a_fact(address="RECIPIENT@example.com"))
    fixture.sync()
    fixture.learn(a_fact(address=RECIPIENT))
    fixture.sync()
    assert fixture.entries() == dict.fromkeys(["RECIPIENT@example.com", "Recipient@example.com", RECIPIENT], "BOUNCE")


def test_every_call_has_its_turn(fixture: SyncFixture) -> None:
    """A contact of many variants takes as many rate_limiter as calls, and so do retries."""
    fixture.learn(*(a_fact(address=f"{one}@example.com") for one in ("recipient", "RECIPIENT", "Recipient")))
    fixture.list.refusals = [None, THROTTLED, BROKEN, None]
    fixture.sync()
    gaps = [(later - sooner).total_seconds() for sooner, later in pairwise(fixture.rate_limiter.taken)]
    assert (len(fixture.list.calls), len(fixture.rate_limiter.taken), min(gaps)) == (5, 5, 1.0)


def test_who_is_not_due_costs_a_read(fixture: SyncFixture) -> None:
    """Following a contact again, or one that is unknown, does nothing."""
    fixture.learn(a_fact())
    fixture.sync()
    written = len(fixture.contacts.written)
    done = fixture.sync(RECIPIENT, "unknown@example.com")
    assert (done, len(fixture.contacts.written), len(fixture.list.calls)) == (SyncReport(), written, 1)


def test_a_contact_named_twice_is_followed_once(fixture: SyncFixture) -> None:
    """A batch of the stream may hold many changes of one contact."""
    fixture.learn(a_fact())
    done = fixture.sync(RECIPIENT, RECIPIENT, RECIPIENT)
    assert (done.put, done.published, len(fixture.list.calls)) == (1, 1, 1)


def test_the_mirror_reads_consistently(fixture: SyncFixture) -> None:
    """What it writes to the list is what the contact is, not what it was a moment ago."""
    fixture.learn(a_fact())
    fixture.contacts.reads.clear()
    fixture.list.interrupt = lambda: fixture.learn(a_fact(Verdict.DELIVERED))
    fixture.sync()
    fixture.learn(a_fact(Verdict.COMPLAIN))
    fixture.sweep()
    assert set(fixture.contacts.reads) == {True}


def test_complaints_come_first(fixture: SyncFixture) -> None:
    """When there is not time for all, complaints are put first, then what has waited longest."""
    for number, verdict in enumerate([Verdict.SUPPRESS, Verdict.SUPPRESS, Verdict.COMPLAIN, Verdict.COMPLAIN]):
        fixture.learn(a_fact(verdict, address=f"{number}@example.com"))
        fixture.clock.sleep(1)
    done = fixture.sync(*(f"{number}@example.com" for number in (1, 3, 0, 2)), within=timedelta(seconds=2))
    assert [call.address for call in fixture.list.calls] == [f"{number}@example.com" for number in (2, 3, 0)]
    assert done.pending == {"1@example.com": "out-of-time"}


# --- Refusals --------------------------------------------------------------------------------------------------------


def test_a_throttle_is_waited_out(fixture: SyncFixture) -> None:
    """A call refused for now is made again, at its turn."""
    fixture.learn(a_fact())
    fixture.list.refusals = [THROTTLED, BROKEN]
    done = fixture.sync()
    assert (fixture.entries(), done.pending, len(fixture.list.calls)) == ({RECIPIENT: "BOUNCE"}, {}, 3)


@pytest.mark.parametrize("refusal", [THROTTLED, BROKEN], ids=["throttled", "broken"])
def test_a_fault_that_stays_is_handed_back(fixture: SyncFixture, refusal: Refusal) -> None:
    """After a few tries the contact is left, without_lease and still due: the sweep after a while finishes it."""
    fixture.learn(a_fact(), a_fact(address="next@example.com"))
    fixture.list.refusals = [refusal] * ATTEMPTS
    done = fixture.sync(RECIPIENT, "next@example.com")
    assert (done.pending, done.put, fixture.due()) == ({RECIPIENT: refusal.code}, 1, [RECIPIENT])
    assert (fixture.contact().lease, fixture.contact().leased_until) == ("", None)
    assert (fixture.sync().pending, len(fixture.list.calls)) == ({}, ATTEMPTS + 1)
    fixture.sweep(after=FAILED_RETRY_AFTER + SWEEP_AFTER)
    assert (fixture.entries(), fixture.due()) == ({RECIPIENT: "BOUNCE", "next@example.com": "BOUNCE"}, [])


def test_a_refused_deletion_is_postponed(fixture: SyncFixture) -> None:
    """SES deletes no address with a slash: it stays due for somebody to see, and does not hold up the stream."""
    fixture.learn(a_fact(address="either/or@example.com"))
    fixture.sync("either/or@example.com")
    fixture.clock.sleep(60)
    fixture.reinstate("either/or@example.com")
    done = fixture.sync("either/or@example.com")
    assert (done.pending, done.rejected) == ({}, {"BadRequestException": 1})
    stored = fixture.contact("either/or@example.com")
    assert (stored.retry_at, stored.list_pending, stored.lease) == (
        fixture.clock.now() + REJECTED_RETRY_AFTER,
        True,
        "",
    )


def test_what_is_postponed_is_not_tried_before_its_time(fixture: SyncFixture) -> None:
    """Neither the stream, which brings the postponement itself, nor the sweep calls SES again until then."""
    fixture.list.sandbox = True
    fixture.learn(a_fact())
    assert fixture.sync().rejected == {"BadRequestException": 1}
    assert fixture.sync().rejected == {}
    assert fixture.sweep(after=REJECTED_RETRY_AFTER - timedelta(seconds=1)).rejected == {}
    assert fixture.sweep(after=SWEEP_AFTER + timedelta(seconds=2)).rejected == {"BadRequestException": 1}
    assert len(fixture.list.calls) == 2


def test_a_refused_spelling_keeps_no_other_off_the_list(fixture: SyncFixture) -> None:
    """The variants SES takes are listed, and the contact is tried again when it is time."""
    fixture.learn(a_fact(), a_fact(address="RECIPIENT@example.com"), a_fact(address="Recipient@example.com"))
    fixture.list.refusals = [None, REFUSED, None]
    done = fixture.sync()
    assert (done.rejected, done.pending, done.put) == ({REFUSED.code: 1}, {}, 0)
    assert set(fixture.entries()) == {"RECIPIENT@example.com", RECIPIENT}
    assert fixture.contact().retry_at == fixture.clock.now() + REJECTED_RETRY_AFTER


def test_a_change_ends_a_postponement(fixture: SyncFixture) -> None:
    """A contact that learns something new is tried again at once, and the sweep sees it."""
    fixture.list.sandbox = True
    fixture.learn(a_fact())
    fixture.sync()
    fixture.list.sandbox = False
    fixture.learn(a_fact(Verdict.COMPLAIN))
    assert fixture.contact().retry_at is None
    fixture.sweep()
    assert (fixture.entries(), fixture.due()) == ({RECIPIENT: "COMPLAINT"}, [])


def test_the_sandbox_is_counted_once(fixture: SyncFixture) -> None:
    """However many contacts SES refuses, a run says so once, and all stay due."""
    fixture.list.sandbox = True
    names = [f"{number}@example.com" for number in range(5)]
    fixture.learn(*(a_fact(address=name) for name in names))
    done = fixture.sync(*names)
    assert (done.rejected, done.pending, sorted(fixture.due())) == ({"BadRequestException": 5}, {}, names)


def test_postponed_but_not_announced(fixture: SyncFixture) -> None:
    """What SES refuses for good is published all the same, as soon as EventBridge takes it."""
    fixture.list.sandbox, fixture.publisher.down = True, True
    fixture.learn(a_fact())
    assert fixture.sync().pending == {RECIPIENT: "not-published"}
    fixture.publisher.down = False
    assert fixture.sync().pending == {}
    assert [change.new_status for change in fixture.publisher.published] == [Status.BOUNCED]
    assert len(fixture.list.calls) == 1


# --- Time ------------------------------------------------------------------------------------------------------------


def test_out_of_time(fixture: SyncFixture) -> None:
    """What there is no turn for is handed back, without_lease, and costs SES nothing."""
    names = [f"{number}@example.com" for number in range(5)]
    fixture.learn(*(a_fact(address=name) for name in names))
    done = fixture.sync(*names, within=timedelta(seconds=1.5))
    assert (done.put, done.pending) == (2, dict.fromkeys(names[2:], "out-of-time"))
    assert {fixture.contact(name).lease for name in names} == {""}
    assert fixture.sync(*done.pending).pending == {}
    assert fixture.entries() == dict.fromkeys(names, "BOUNCE")


def test_what_there_is_no_time_for_is_left_alone(fixture: SyncFixture) -> None:
    """After the first contact there is no turn for, the rest are neither leased nor handed back: they are as due."""
    names = [f"{number}@example.com" for number in range(5)]
    fixture.learn(*(a_fact(address=name) for name in names))
    fixture.sync(*names, within=timedelta(seconds=1.5))
    revisions = [fixture.contact(name).rev for name in names]
    assert revisions[3:] == [2, 2]  # learnt and published


def test_out_of_time_between_two_spellings(fixture: SyncFixture) -> None:
    """A contact whose entries are only partly written is not done."""
    fixture.learn(a_fact(), a_fact(address="RECIPIENT@example.com"))
    done = fixture.sync(within=timedelta(seconds=0.5))
    assert (done.pending, done.put, len(fixture.entries())) == ({RECIPIENT: "out-of-time"}, 0, 1)
    fixture.sync()
    assert (len(fixture.entries()), fixture.due()) == (2, [])


def test_no_turn_without_dynamodb(fixture: SyncFixture) -> None:
    """When no turn can be reserved, the contact is handed back like after any other fault."""
    fixture.learn(a_fact())
    fixture.rate_limiter.refusal = Refusal(RefusalKind.UNAVAILABLE, "InternalServerError")
    assert fixture.sync().pending == {RECIPIENT: "InternalServerError"}
    assert (fixture.contact().lease, fixture.due(), fixture.list.calls) == ("", [RECIPIENT], [])


# --- What DynamoDB does not do ---------------------------------------------------------------------------------------


def test_a_contact_that_can_not_be_read_is_handed_back(fixture: SyncFixture) -> None:
    """And the others of its batch are report."""
    fixture.learn(a_fact(), a_fact(address="other@example.com"))
    fixture.contacts.unreadable[RECIPIENT] = "ProvisionedThroughputExceededException"
    done = fixture.sync(RECIPIENT, "other@example.com")
    assert done.pending == {RECIPIENT: "ProvisionedThroughputExceededException"}
    assert fixture.entries() == {"other@example.com": "BOUNCE"}


def test_a_contact_that_can_not_be_marked_as_announced_is_handed_back(fixture: SyncFixture) -> None:
    """It is published again rather than not at all."""
    fixture.learn(a_fact())
    fixture.contacts.faults[RECIPIENT] = "InternalServerError"
    assert fixture.sync().pending == {RECIPIENT: "InternalServerError"}
    fixture.contacts.faults.clear()
    assert fixture.sync().pending == {}
    assert [change.new_status for change in fixture.publisher.published] == [Status.BOUNCED] * 2


def test_a_contact_that_can_not_be_claimed_is_handed_back(fixture: SyncFixture) -> None:
    """Without a lease SES is not called."""
    fixture.learn(an_echo())
    fixture.sync()
    fixture.learn(a_fact(at=on_day(1)))
    fixture.contacts.faults[RECIPIENT] = "InternalServerError"
    assert (fixture.sync().pending, fixture.list.calls) == ({RECIPIENT: "InternalServerError"}, [])


def test_a_contact_that_can_not_be_marked_as_done_is_handed_back(fixture: SyncFixture) -> None:
    """Its lease stands, so the sweep writes the entry again when the lease has run out, for nobody knows."""
    fixture.learn(a_fact())
    fixture.list.interrupt = lambda: fixture.contacts.faults.update({RECIPIENT: "ReadTimeoutError"})
    assert fixture.sync().pending == {RECIPIENT: "ReadTimeoutError"}
    fixture.contacts.faults.clear()
    assert (fixture.sweep(after=LEASE_DURATION).pending, fixture.due(), len(fixture.list.calls)) == ({}, [], 2)


def test_a_contact_that_can_not_be_read_again_is_handed_back(fixture: SyncFixture) -> None:
    """Who lost a race and can't see to whom has to leave it."""
    fixture.learn(a_fact())

    def interfere() -> None:
        fixture.learn(a_fact(Verdict.COMPLAIN))
        fixture.contacts.unreadable[RECIPIENT] = "InternalServerError"

    fixture.list.interrupt = interfere
    assert fixture.sync().pending == {RECIPIENT: "InternalServerError"}
    fixture.contacts.unreadable.clear()
    fixture.sweep(after=LEASE_DURATION)
    assert (fixture.entries(), fixture.due()) == ({RECIPIENT: "COMPLAINT"}, [])
