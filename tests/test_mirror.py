"""Mirror makes the suppression list and the outside world follow the contacts, whoever fails, stalls or interferes."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count, pairwise

import pytest

from ses_feedback.answers import Refusal, Refused
from ses_feedback.changes import StatusChange
from ses_feedback.contact import Limits, Status
from ses_feedback.faults import CONDITION_FAILED
from ses_feedback.mirror import CLAIM, POSTPONEMENT, READ_AT_ONCE, SETTLED, TRIES, Followed, Mirror
from ses_feedback.policy import Fact, ListReason, Verdict
from ses_feedback.stored import Stored
from tests.builders import AT, RECIPIENT, a_fact, an_echo, on_day, strikes
from tests.fakes import FakeAnnouncer, FakeContacts, FakeSuppressionList, FakeTurns, ListCall, ManualClock
from tests.world import TIMEOUT, reinstated

BOUNCE, COMPLAINT = ListReason.BOUNCE, ListReason.COMPLAINT
THROTTLED = Refusal(Refused.FOR_NOW, "TooManyRequestsException")
BROKEN = Refusal(Refused.UNAVAILABLE, "InternalServiceErrorException")
UNANSWERED = Refusal(Refused.UNANSWERED, "ReadTimeoutError")
REFUSED = Refusal(Refused.FOR_GOOD, "BadRequestException")
LIMITS = Limits()


class Office:
    """Fakes of all that a mirror works with, which any number of workers share."""

    def __init__(self, *, sandbox: bool = False, rate: float = 1.0, limits: Limits = LIMITS) -> None:
        """Open at noon, with nothing to do."""
        self.clock = ManualClock()
        self.limits = limits
        self.contacts = FakeContacts(limits, now=self.clock.now)
        self.list = FakeSuppressionList(sandbox=sandbox)
        self.announcer = FakeAnnouncer()
        self.turns = FakeTurns(self.clock, rate)
        self._processes = count()

    def worker(self, name: str = "worker") -> Mirror:
        """Return a worker's mirror, in a process of its own."""
        parts = self.contacts, self.list, self.announcer, self.turns, self.limits
        return Mirror(*parts, now=self.clock.now, worker=f"{name}-{next(self._processes)}")

    def learn(self, *facts: Fact) -> None:
        """Store facts."""
        assert self.contacts.learn(facts) == {}

    def follow(self, *addresses: str, worker: str = "worker", within: timedelta = TIMEOUT) -> Followed:
        """Let a worker follow contacts."""
        return self.worker(worker).follow(addresses or (RECIPIENT,), self.clock.now() + within)

    def sweep(self, *, worker: str = "sweeper", after: timedelta = timedelta(minutes=5)) -> Followed:
        """Let time pass, and a worker sweep."""
        self.clock.sleep(after.total_seconds())
        return self.worker(worker).sweep(self.clock.now() + TIMEOUT)

    def reinstate(self, address: str = RECIPIENT) -> None:
        """Reinstate a contact now."""
        assert self.contacts.write(reinstated(self.contact(address), self.clock.now(), self.limits)) is None

    def contact(self, address: str = RECIPIENT) -> Stored:
        """Return a contact."""
        return self.contacts.read([address], {}, consistent=True)[address]

    def entries(self) -> dict[str, str]:
        """Return the suppression list."""
        return {address: reason.value for address, reason in self.list.entries.items()}

    def due(self) -> list[str]:
        """Return every contact that is due, now or later."""
        return [address for _, address in self.contacts.due(self.clock.now() + timedelta(days=365))]


@pytest.fixture
def office() -> Office:
    """An office."""
    return Office()


# --- The list follows -----------------------------------------------------------------------------------------------

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


def test_complaints_come_first(office: Office) -> None:
    """When there is not time for all, complaints are put first, then what has waited longest."""
    for number, verdict in enumerate([Verdict.SUPPRESS, Verdict.SUPPRESS, Verdict.COMPLAIN, Verdict.COMPLAIN]):
        office.learn(a_fact(verdict, address=f"{number}@example.com"))
        office.clock.sleep(1)
    done = office.follow(*(f"{number}@example.com" for number in (1, 3, 0, 2)), within=timedelta(seconds=2))
    assert [call.address for call in office.list.calls] == [f"{number}@example.com" for number in (2, 3, 0)]
    assert done.left == {"1@example.com": "out-of-time"}


# --- Refusals -------------------------------------------------------------------------------------------------------


def test_a_throttle_is_waited_out(office: Office) -> None:
    """A call refused for now is made again, at its turn."""
    office.learn(a_fact())
    office.list.refusals = [THROTTLED, BROKEN]
    done = office.follow()
    assert (office.entries(), done.left, len(office.list.calls)) == ({RECIPIENT: "BOUNCE"}, {}, 3)


@pytest.mark.parametrize("refusal", [THROTTLED, BROKEN], ids=["throttled", "broken"])
def test_a_fault_that_stays_is_handed_back(office: Office, refusal: Refusal) -> None:
    """After a few tries the contact is left, unclaimed and still due, and the next retry finishes it."""
    office.learn(a_fact(), a_fact(address="next@example.com"))
    office.list.refusals = [refusal] * TRIES
    done = office.follow(RECIPIENT, "next@example.com")
    assert (done.left, done.put, office.due()) == ({RECIPIENT: refusal.code}, 1, [RECIPIENT])
    assert (office.contact().claim, office.contact().claimed_until) == ("", None)
    assert office.follow(worker="another").left == {}
    assert office.entries() == {RECIPIENT: "BOUNCE", "next@example.com": "BOUNCE"}


def test_a_refused_deletion_is_postponed(office: Office) -> None:
    """SES deletes no address with a slash: it stays due for somebody to see, and does not hold up the stream."""
    office.learn(a_fact(address="either/or@example.com"))
    office.follow("either/or@example.com")
    office.clock.sleep(60)
    office.reinstate("either/or@example.com")
    done = office.follow("either/or@example.com")
    assert (done.left, done.refused) == ({}, {"BadRequestException": 1})
    stored = office.contact("either/or@example.com")
    assert (stored.due_since, stored.list_due, stored.claim) == (office.clock.now() + POSTPONEMENT, True, "")


def test_what_is_postponed_is_not_tried_before_its_time(office: Office) -> None:
    """Neither the stream, which brings the postponement itself, nor the sweep calls SES again until then."""
    office.list.sandbox = True
    office.learn(a_fact())
    assert office.follow().refused == {"BadRequestException": 1}
    assert office.follow().refused == {}
    assert office.sweep(after=POSTPONEMENT - timedelta(seconds=1)).refused == {}
    assert office.sweep(after=SETTLED + timedelta(seconds=2)).refused == {"BadRequestException": 1}
    assert len(office.list.calls) == 2


def test_a_change_ends_a_postponement(office: Office) -> None:
    """A contact that learns something new is tried again at once, and the sweep sees it."""
    office.list.sandbox = True
    office.learn(a_fact())
    office.follow()
    office.list.sandbox = False
    office.learn(a_fact(Verdict.COMPLAIN))
    assert office.contact().due_since == office.clock.now()
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


# --- Time -----------------------------------------------------------------------------------------------------------


def test_out_of_time(office: Office) -> None:
    """What there is no turn for is handed back, unclaimed, and costs SES nothing."""
    names = [f"{number}@example.com" for number in range(5)]
    office.learn(*(a_fact(address=name) for name in names))
    done = office.follow(*names, within=timedelta(seconds=1.5))
    assert (done.put, done.left) == (2, dict.fromkeys(names[2:], "out-of-time"))
    assert {office.contact(name).claim for name in names} == {""}
    assert office.follow(*done.left).left == {}
    assert office.entries() == dict.fromkeys(names, "BOUNCE")


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


# --- What DynamoDB does not do --------------------------------------------------------------------------------------


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


# --- Others at work -------------------------------------------------------------------------------------------------


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
    met: list[Followed] = []
    office.list.interrupt = lambda: met.append(office.follow(worker="another"))
    office.follow()
    assert (met[0].left, met[0].put, len(office.list.calls)) == ({}, 0, 1)
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


def dies() -> None:
    """End the process, as far as it knows."""
    raise KeyboardInterrupt


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


def test_a_claim_outlives_the_function() -> None:
    """No worker that may still write has lost its claim: a function lives shorter than a claim holds."""
    assert CLAIM > TIMEOUT


# --- Announcements --------------------------------------------------------------------------------------------------


def test_a_change_is_announced_with_its_evidence(office: Office) -> None:
    """What gives the status is told with it; what it was is what was announced last."""
    office.learn(a_fact(Verdict.COMPLAIN, reason="Complaint/abuse"))
    done = office.follow()
    [change] = office.announcer.announced
    told = change.address, change.old_status, change.new_status, change.reason, change.time, change.configuration_set
    assert told == (RECIPIENT, Status.ACTIVE, Status.COMPLAINED, "Complaint/abuse", AT, "receipts")
    assert (done.announced, done.tally.counts) == (1, {("receipts", "ContactSuppressed"): 1})


def test_an_announcement_is_not_repeated(office: Office) -> None:
    """Once marked, a status is not announced again, however often the list has to be tried."""
    office.learn(a_fact())
    office.list.refusals = [BROKEN] * TRIES
    for _ in range(3):
        office.follow()
    assert len(office.announcer.announced) == 1


def test_a_release_is_announced(office: Office) -> None:
    """A contact that may be mailed again is told of, and counted."""
    office.learn(a_fact())
    office.follow()
    office.clock.sleep(60)
    office.reinstate()
    done = office.follow()
    change = office.announcer.announced[-1]
    assert (change.old_status, change.new_status, change.reason, change.time) == (
        Status.BOUNCED,
        Status.ACTIVE,
        "",
        None,
    )
    assert done.tally.counts == {("", "ContactReleased"): 1}


@pytest.mark.parametrize("facts", [strikes(1), [a_fact(Verdict.SUPPRESS), a_fact(Verdict.COMPLAIN)]])
def test_only_a_change_of_may_send_is_counted(office: Office, facts: list[Fact]) -> None:
    """Every status is announced, but a contact is suppressed, or released, only once."""
    office.learn(facts[0])
    office.follow()
    office.learn(*facts[1:])
    office.follow()
    suppressed = sum(
        not change.new_status.may_send and change.old_status.may_send for change in office.announcer.announced
    )
    assert len(office.announcer.announced) == len(facts)
    assert suppressed == (len(facts) == 2)


def test_announcing_does_not_hold_up_the_list(office: Office) -> None:
    """When EventBridge takes nothing, the list is written, and the contact handed back until it is announced."""
    office.learn(a_fact())
    office.announcer.down = True
    done = office.follow()
    assert (office.entries(), done.put, done.left) == ({RECIPIENT: "BOUNCE"}, 1, {RECIPIENT: "not-announced"})
    assert (office.due(), office.contact().list_due) == ([RECIPIENT], False)
    office.announcer.down = False
    assert (office.follow().left, office.due(), len(office.list.calls)) == ({}, [], 1)
    assert len(office.announcer.announced) == 1


def test_one_that_is_not_announced_is_nobody_elses(office: Office) -> None:
    """EventBridge may take some of a batch: the others are handed back by themselves."""
    office.learn(a_fact(), a_fact(address="other@example.com"))
    office.announcer.refusing.add(RECIPIENT)
    done = office.follow(RECIPIENT, "other@example.com")
    assert (done.left, done.announced, done.put) == ({RECIPIENT: "not-announced"}, 1, 2)


def test_a_status_that_came_back(office: Office) -> None:
    """It is announced as it is: the announcement of what it was in between may be on its way out."""
    office.learn(*strikes(1))
    office.learn(a_fact(Verdict.DELIVERED, on_day(2)))
    done = office.follow()
    assert [change.new_status for change in office.announcer.announced] == [Status.ACTIVE]
    assert (done.tally.counts, office.due()) == ({}, [])


def test_what_was_announced_late_is_told_from_what_is_later(office: Office) -> None:
    """A worker stalls with an announcement until it is not true any more: `rev` tells which one is."""
    office.learn(*strikes(1))

    class Stalling(FakeAnnouncer):
        """An announcer whose first announcement comes out after what happens meanwhile."""

        def announce(self, changes: Sequence[StatusChange]) -> list[StatusChange]:
            """Announce, late."""
            office.announcer, meanwhile = FakeAnnouncer(), office.announcer
            office.learn(a_fact(Verdict.DELIVERED, on_day(2)))
            office.follow(worker="another")
            told = [*office.announcer.announced, *changes]
            office.announcer = meanwhile
            self.announced += told
            return list(changes)

    stalling = Stalling()
    office.announcer = stalling
    left = office.follow().left
    office.announcer = FakeAnnouncer()
    office.follow(*left)
    told = [*stalling.announced, *office.announcer.announced]
    assert {change.new_status for change in told} == {Status.BOUNCING, Status.ACTIVE}
    assert max(told, key=lambda change: change.rev).new_status is Status.ACTIVE


def test_a_limit_lowered_meanwhile() -> None:
    """A contact that new limits suspend, though those it was stored under did not, is told of and listed."""
    office = Office(limits=Limits(soft_bounces=5))
    office.learn(*strikes(1, 2, 3))
    office.limits = Limits(soft_bounces=3)
    office.contacts = _moved(office.contacts, office.limits, office.clock)
    for _ in range(3):
        office.follow()
    stored = office.contact()
    assert (stored.status, stored.announced, office.due()) == (Status.SUSPENDED, Status.SUSPENDED, [])
    assert office.entries() == {RECIPIENT: "BOUNCE"}


def _moved(contacts: FakeContacts, limits: Limits, clock: ManualClock) -> FakeContacts:
    moved = FakeContacts(limits, now=clock.now)
    moved.items = contacts.items
    return moved


# --- The sweep ------------------------------------------------------------------------------------------------------


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
    assert done.tally.longest == {("", "SuppressionLag"): 30 * 60 * 1000}


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
