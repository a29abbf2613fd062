"""Mirror makes the suppression list follow the contacts, whatever SES and DynamoDB answer."""

from datetime import timedelta
from itertools import pairwise

import pytest

from ses_feedback.aws.refusals import Refusal, Refused
from ses_feedback.contacts.status import Limits, Status
from ses_feedback.judging.facts import Fact, Verdict
from ses_feedback.suppression.report import Followed
from ses_feedback.suppression.sync import CLAIM, PATIENCE, POSTPONEMENT, SETTLED, TRIES
from tests.support.builders import RECIPIENT, a_fact, an_echo, on_day, strikes
from tests.support.fakes import ListCall
from tests.support.sync_fixture import BOUNCE, BROKEN, COMPLAINT, REFUSED, THROTTLED, Office


@pytest.fixture
def office() -> Office:
    """An office."""
    return Office()


# --- The list follows ------------------------------------------------------------------------------------------------

WANTED = [
    ([a_fact(Verdict.COMPLAIN)], "COMPLAINT"),
    ([a_fact(Verdict.SUPPRESS)], "BOUNCE"),
    (strikes(1, 2, 3, 4, 5), "BOUNCE"),
    ([an_echo(), a_fact(Verdict.COMPLAIN)], "COMPLAINT"),
]


@pytest.mark.parametrize(("facts", "reason"), WANTED, ids=["complained", "bounced", "suspended", "echo outdone"])
def test_put(office: Office, facts: list[Fact], reason: str) -> None:
    """What may not be sent to goes on the list, and is done with."""
    office.learn(*facts)
    done = office.follow()
    assert (office.entries(), done.put, done.left, office.due()) == ({RECIPIENT: reason}, 1, {}, [])
    assert (office.contact().mirrored, office.contact().claim) == (reason, "")


@pytest.mark.parametrize("facts", [strikes(1), [a_fact(Verdict.DELIVERED)], [a_fact(Verdict.UNSUBSCRIBE)], [an_echo()]])
def test_no_call(office: Office, facts: list[Fact]) -> None:
    """What does not belong on the list, or is there already, costs no call of SES."""
    office.learn(*facts)
    office.follow()
    assert (office.list.calls, office.due(), office.turns.taken) == ([], [], [])


def test_the_unsubscribed_are_listed_if_the_stack_says_so() -> None:
    """Then an opt-out stops all mail."""
    office = Office(limits=Limits(list_unsubscribed=True))
    office.learn(a_fact(Verdict.UNSUBSCRIBE))
    office.follow()
    assert office.entries() == {RECIPIENT: "COMPLAINT"}


def test_the_reason_is_the_stored_contacts(office: Office) -> None:
    """Two changes that come one by one find the contact as it is: the reason is never that of one event."""
    office.learn(a_fact(Verdict.COMPLAIN))
    office.learn(a_fact(Verdict.SUPPRESS, on_day(2)))
    office.follow()
    office.follow()
    assert office.list.calls == [ListCall(RECIPIENT, COMPLAINT)]


def test_a_stronger_reason_replaces_a_weaker(office: Office) -> None:
    """The list says why the contact is what it is now."""
    office.learn(a_fact(Verdict.SUPPRESS))
    office.follow()
    office.learn(a_fact(Verdict.COMPLAIN))
    office.follow()
    assert office.entries() == {RECIPIENT: "COMPLAINT"}


def test_a_reinstated_contact_leaves_the_list(office: Office) -> None:
    """Whatever put the entry there, us or SES, under whatever spelling it told us of."""
    office.learn(a_fact(address="Recipient@example.com"))
    office.list.entries = {RECIPIENT: BOUNCE, "Recipient@example.com": COMPLAINT}
    office.clock.sleep(60)
    office.reinstate()
    done = office.follow()
    assert (office.entries(), done.deleted, done.put) == ({}, 1, 0)
    assert (office.contact().mirrored, office.due()) == ("NONE", [])


def test_a_suspension_lifts(office: Office) -> None:
    """A delivery after a suspension takes the contact off the list."""
    office.learn(*strikes(1, 2, 3, 4, 5))
    office.follow()
    office.learn(a_fact(Verdict.DELIVERED, on_day(6)))
    office.follow()
    assert [office.entries(), office.contact().status] == [{}, Status.ACTIVE]


def test_every_spelling_is_put(office: Office) -> None:
    """SES keeps spellings apart, so each is an entry; one more is put when it turns up."""
    office.learn(a_fact(address="Recipient@example.com"), a_fact(address="RECIPIENT@example.com"))
    office.follow()
    office.learn(a_fact(address=RECIPIENT))
    office.follow()
    assert office.entries() == dict.fromkeys(["RECIPIENT@example.com", "Recipient@example.com", RECIPIENT], "BOUNCE")


def test_every_call_has_its_turn(office: Office) -> None:
    """A contact of many spellings takes as many turns as calls, and so do retries."""
    office.learn(*(a_fact(address=f"{one}@example.com") for one in ("recipient", "RECIPIENT", "Recipient")))
    office.list.refusals = [None, THROTTLED, BROKEN, None]
    office.follow()
    gaps = [(later - sooner).total_seconds() for sooner, later in pairwise(office.turns.taken)]
    assert (len(office.list.calls), len(office.turns.taken), min(gaps)) == (5, 5, 1.0)


def test_who_is_not_due_costs_a_read(office: Office) -> None:
    """Following a contact again, or one that is unknown, does nothing."""
    office.learn(a_fact())
    office.follow()
    written = len(office.contacts.written)
    done = office.follow(RECIPIENT, "unknown@example.com")
    assert (done, len(office.contacts.written), len(office.list.calls)) == (Followed(), written, 1)


def test_a_contact_named_twice_is_followed_once(office: Office) -> None:
    """A batch of the stream may hold many changes of one contact."""
    office.learn(a_fact())
    done = office.follow(RECIPIENT, RECIPIENT, RECIPIENT)
    assert (done.put, done.announced, len(office.list.calls)) == (1, 1, 1)


def test_the_mirror_reads_consistently(office: Office) -> None:
    """What it writes to the list is what the contact is, not what it was a moment ago."""
    office.learn(a_fact())
    office.contacts.reads.clear()
    office.list.interrupt = lambda: office.learn(a_fact(Verdict.DELIVERED))
    office.follow()
    office.learn(a_fact(Verdict.COMPLAIN))
    office.sweep()
    assert set(office.contacts.reads) == {True}


def test_complaints_come_first(office: Office) -> None:
    """When there is not time for all, complaints are put first, then what has waited longest."""
    for number, verdict in enumerate([Verdict.SUPPRESS, Verdict.SUPPRESS, Verdict.COMPLAIN, Verdict.COMPLAIN]):
        office.learn(a_fact(verdict, address=f"{number}@example.com"))
        office.clock.sleep(1)
    done = office.follow(*(f"{number}@example.com" for number in (1, 3, 0, 2)), within=timedelta(seconds=2))
    assert [call.address for call in office.list.calls] == [f"{number}@example.com" for number in (2, 3, 0)]
    assert done.left == {"1@example.com": "out-of-time"}


# --- Refusals --------------------------------------------------------------------------------------------------------


def test_a_throttle_is_waited_out(office: Office) -> None:
    """A call refused for now is made again, at its turn."""
    office.learn(a_fact())
    office.list.refusals = [THROTTLED, BROKEN]
    done = office.follow()
    assert (office.entries(), done.left, len(office.list.calls)) == ({RECIPIENT: "BOUNCE"}, {}, 3)


@pytest.mark.parametrize("refusal", [THROTTLED, BROKEN], ids=["throttled", "broken"])
def test_a_fault_that_stays_is_handed_back(office: Office, refusal: Refusal) -> None:
    """After a few tries the contact is left, unclaimed and still due: the sweep after a while finishes it."""
    office.learn(a_fact(), a_fact(address="next@example.com"))
    office.list.refusals = [refusal] * TRIES
    done = office.follow(RECIPIENT, "next@example.com")
    assert (done.left, done.put, office.due()) == ({RECIPIENT: refusal.code}, 1, [RECIPIENT])
    assert (office.contact().claim, office.contact().claimed_until) == ("", None)
    assert (office.follow().left, len(office.list.calls)) == ({}, TRIES + 1)
    office.sweep(after=PATIENCE + SETTLED)
    assert (office.entries(), office.due()) == ({RECIPIENT: "BOUNCE", "next@example.com": "BOUNCE"}, [])


def test_a_refused_deletion_is_postponed(office: Office) -> None:
    """SES deletes no address with a slash: it stays due for somebody to see, and does not hold up the stream."""
    office.learn(a_fact(address="either/or@example.com"))
    office.follow("either/or@example.com")
    office.clock.sleep(60)
    office.reinstate("either/or@example.com")
    done = office.follow("either/or@example.com")
    assert (done.left, done.refused) == ({}, {"BadRequestException": 1})
    stored = office.contact("either/or@example.com")
    assert (stored.retry_at, stored.list_due, stored.claim) == (office.clock.now() + POSTPONEMENT, True, "")


def test_what_is_postponed_is_not_tried_before_its_time(office: Office) -> None:
    """Neither the stream, which brings the postponement itself, nor the sweep calls SES again until then."""
    office.list.sandbox = True
    office.learn(a_fact())
    assert office.follow().refused == {"BadRequestException": 1}
    assert office.follow().refused == {}
    assert office.sweep(after=POSTPONEMENT - timedelta(seconds=1)).refused == {}
    assert office.sweep(after=SETTLED + timedelta(seconds=2)).refused == {"BadRequestException": 1}
    assert len(office.list.calls) == 2


def test_a_refused_spelling_keeps_no_other_off_the_list(office: Office) -> None:
    """The spellings SES takes are listed, and the contact is tried again when it is time."""
    office.learn(a_fact(), a_fact(address="RECIPIENT@example.com"), a_fact(address="Recipient@example.com"))
    office.list.refusals = [None, REFUSED, None]
    done = office.follow()
    assert (done.refused, done.left, done.put) == ({REFUSED.code: 1}, {}, 0)
    assert set(office.entries()) == {"RECIPIENT@example.com", RECIPIENT}
    assert office.contact().retry_at == office.clock.now() + POSTPONEMENT


def test_a_change_ends_a_postponement(office: Office) -> None:
    """A contact that learns something new is tried again at once, and the sweep sees it."""
    office.list.sandbox = True
    office.learn(a_fact())
    office.follow()
    office.list.sandbox = False
    office.learn(a_fact(Verdict.COMPLAIN))
    assert office.contact().retry_at is None
    office.sweep()
    assert (office.entries(), office.due()) == ({RECIPIENT: "COMPLAINT"}, [])


def test_the_sandbox_is_counted_once(office: Office) -> None:
    """However many contacts SES refuses, a run says so once, and all stay due."""
    office.list.sandbox = True
    names = [f"{number}@example.com" for number in range(5)]
    office.learn(*(a_fact(address=name) for name in names))
    done = office.follow(*names)
    assert (done.refused, done.left, sorted(office.due())) == ({"BadRequestException": 5}, {}, names)


def test_postponed_but_not_announced(office: Office) -> None:
    """What SES refuses for good is announced all the same, as soon as EventBridge takes it."""
    office.list.sandbox, office.announcer.down = True, True
    office.learn(a_fact())
    assert office.follow().left == {RECIPIENT: "not-announced"}
    office.announcer.down = False
    assert office.follow().left == {}
    assert [change.new_status for change in office.announcer.announced] == [Status.BOUNCED]
    assert len(office.list.calls) == 1


# --- Time ------------------------------------------------------------------------------------------------------------


def test_out_of_time(office: Office) -> None:
    """What there is no turn for is handed back, unclaimed, and costs SES nothing."""
    names = [f"{number}@example.com" for number in range(5)]
    office.learn(*(a_fact(address=name) for name in names))
    done = office.follow(*names, within=timedelta(seconds=1.5))
    assert (done.put, done.left) == (2, dict.fromkeys(names[2:], "out-of-time"))
    assert {office.contact(name).claim for name in names} == {""}
    assert office.follow(*done.left).left == {}
    assert office.entries() == dict.fromkeys(names, "BOUNCE")


def test_what_there_is_no_time_for_is_left_alone(office: Office) -> None:
    """After the first contact there is no turn for, the rest are neither claimed nor handed back: they are as due."""
    names = [f"{number}@example.com" for number in range(5)]
    office.learn(*(a_fact(address=name) for name in names))
    office.follow(*names, within=timedelta(seconds=1.5))
    revisions = [office.contact(name).rev for name in names]
    assert revisions[3:] == [2, 2]  # learnt and announced


def test_out_of_time_between_two_spellings(office: Office) -> None:
    """A contact whose entries are only partly written is not done."""
    office.learn(a_fact(), a_fact(address="RECIPIENT@example.com"))
    done = office.follow(within=timedelta(seconds=0.5))
    assert (done.left, done.put, len(office.entries())) == ({RECIPIENT: "out-of-time"}, 0, 1)
    office.follow()
    assert (len(office.entries()), office.due()) == (2, [])


def test_no_turn_without_dynamodb(office: Office) -> None:
    """When no turn can be reserved, the contact is handed back like after any other fault."""
    office.learn(a_fact())
    office.turns.refusal = Refusal(Refused.UNAVAILABLE, "InternalServerError")
    assert office.follow().left == {RECIPIENT: "InternalServerError"}
    assert (office.contact().claim, office.due(), office.list.calls) == ("", [RECIPIENT], [])


# --- What DynamoDB does not do ---------------------------------------------------------------------------------------


def test_a_contact_that_can_not_be_read_is_handed_back(office: Office) -> None:
    """And the others of its batch are followed."""
    office.learn(a_fact(), a_fact(address="other@example.com"))
    office.contacts.unreadable[RECIPIENT] = "ProvisionedThroughputExceededException"
    done = office.follow(RECIPIENT, "other@example.com")
    assert done.left == {RECIPIENT: "ProvisionedThroughputExceededException"}
    assert office.entries() == {"other@example.com": "BOUNCE"}


def test_a_contact_that_can_not_be_marked_as_announced_is_handed_back(office: Office) -> None:
    """It is announced again rather than not at all."""
    office.learn(a_fact())
    office.contacts.faults[RECIPIENT] = "InternalServerError"
    assert office.follow().left == {RECIPIENT: "InternalServerError"}
    office.contacts.faults.clear()
    assert office.follow().left == {}
    assert [change.new_status for change in office.announcer.announced] == [Status.BOUNCED] * 2


def test_a_contact_that_can_not_be_claimed_is_handed_back(office: Office) -> None:
    """Without a claim SES is not called."""
    office.learn(an_echo())
    office.follow()
    office.learn(a_fact(at=on_day(1)))
    office.contacts.faults[RECIPIENT] = "InternalServerError"
    assert (office.follow().left, office.list.calls) == ({RECIPIENT: "InternalServerError"}, [])


def test_a_contact_that_can_not_be_marked_as_done_is_handed_back(office: Office) -> None:
    """Its claim stands, so the sweep writes the entry again when the claim has run out, for nobody knows."""
    office.learn(a_fact())
    office.list.interrupt = lambda: office.contacts.faults.update({RECIPIENT: "ReadTimeoutError"})
    assert office.follow().left == {RECIPIENT: "ReadTimeoutError"}
    office.contacts.faults.clear()
    assert (office.sweep(after=CLAIM).left, office.due(), len(office.list.calls)) == ({}, [], 2)


def test_a_contact_that_can_not_be_read_again_is_handed_back(office: Office) -> None:
    """Who lost a race and can't see to whom has to leave it."""
    office.learn(a_fact())

    def interfere() -> None:
        office.learn(a_fact(Verdict.COMPLAIN))
        office.contacts.unreadable[RECIPIENT] = "InternalServerError"

    office.list.interrupt = interfere
    assert office.follow().left == {RECIPIENT: "InternalServerError"}
    office.contacts.unreadable.clear()
    office.sweep(after=CLAIM)
    assert (office.entries(), office.due()) == ({RECIPIENT: "COMPLAINT"}, [])
