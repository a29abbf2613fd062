"""Design bugs: how the suppression list and the outside world follow."""

# Mutants stand where the real thing does, and so reach into it and take what it takes.
# ruff: noqa: ANN401, ARG001, SLF001

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from campaigns.simulation.planted_bugs.planting import mutant
from ses_feedback.aws import events
from ses_feedback.aws.errors import AWS_FAULTS
from ses_feedback.aws.refusals import OUT_OF_TIME
from ses_feedback.contacts import record as stored
from ses_feedback.contacts import status
from ses_feedback.contacts.record import Stored
from ses_feedback.handlers import suppression as handler
from ses_feedback.judging import facts
from ses_feedback.suppression import list_client, rate_limiter, sync
from ses_feedback.timestamps import format_timestamp, parse_timestamp


def _nobody_claims(_self: Any, _stored: Stored, _claim: str) -> bool:
    return True


def _claimed_for_good(_self: Any, one: Stored, claim: str) -> bool:
    return one.claim in {"", claim}


def _reason_from_evidence(self: Any, claimed: Stored, wanted: Any, until: datetime) -> Any:
    """Take the reason from the latest event instead of the contact's status."""
    if wanted:
        told = [one for one in (claimed.contact.bounced, claimed.contact.complained) if one]
        if told:
            wanted = facts.ListReason("COMPLAINT" if max(told).reason.startswith("Complaint") else "BOUNCE")
    return _call(self, claimed, wanted, until)


_call = sync.Mirror._call


def _first_spelling(self: Any, claimed: Stored, wanted: Any, until: datetime) -> Any:
    known = claimed.contact
    return _call(self, replace(claimed, contact=replace(known, spellings=known.spellings[:1])), wanted, until)


def _key_only(self: Any, claimed: Stored, wanted: Any, until: datetime) -> Any:
    return _call(self, replace(claimed, contact=replace(claimed.contact, spellings=())), wanted, until)


def _refusal_is_done(self: Any, claimed: Stored, wanted: Any, until: datetime) -> Any:
    _call(self, claimed, wanted, until)


def _tries_without_turn(self: Any, claimed: Stored, wanted: Any, until: datetime) -> Any:
    refusal = None
    for entry in {*claimed.contact.spellings, claimed.contact.address}:
        for _ in range(3):
            refusal = self._list.put(entry, wanted) if wanted else self._list.delete(entry)
            if refusal is None:
                break
    return refusal


def _marked_first(self: Any, claimed: Stored, until: datetime, done: Any) -> str | None:
    """Mark the contact done, then call SES."""
    wanted = status.wanted_of(claimed.contact, self._limits)
    lost: str | None = self._contacts.write(stored.marked(claimed, wanted.value if wanted else status.UNLISTED))
    if not lost:
        self._call(claimed, wanted, until)
    return lost


def _marked_whatever(self: Any, claimed: Stored, until: datetime, done: Any) -> str | None:
    """Mark what is in the table by then, although SES was called for what was there before."""
    lost = _write_list(self, claimed, until, done)
    if lost != sync.LOST_RACE:
        return lost
    now = self._contacts.read([claimed.contact.address], {}, consistent=True).get(claimed.contact.address, claimed)
    done_now = replace(now, rev=now.rev + 1, claim="", claimed_until=None, list_due=False)
    refused: str | None = self._contacts.write(replace(done_now, due_since=now.due_since if now.announce_due else None))
    return refused


_write_list = sync.Mirror._write_list


def _hopes_for_announcements(self: Any, due: list[Stored], done: Any) -> list[Stored]:
    """Mark a status announced, then announce it."""
    changes = []
    after = []
    for one in due:
        marked = replace(
            one,
            rev=one.rev + 1,
            announced=one.status,
            announce_due=False,
            due_since=one.due_since if one.list_due else None,
        )
        if one.announce_due and not self._contacts.write(marked):
            changes.append(self._change(one))
            after.append(stored.written(marked, self._limits))
        elif not one.announce_due:
            after.append(one)
    self._announcer.announce(changes)
    return [one for one in after if one.list_due]


def _believed_announced(self: Any, changes: Sequence[Any]) -> Sequence[Any]:
    _announce(self, changes)
    return changes


_announce = events.Announcer.announce


def _absence_is_a_fault(self: Any, entry: str) -> Any:
    try:
        self._client.delete_suppressed_destination(EmailAddress=entry)
    except AWS_FAULTS as error:
        return list_client._refusal(error)
    return None


def _upsert_hoped_for(self: Any, entry: str, reason: Any) -> Any:
    """Add an entry only where there is none, as if Put failed on one that is there."""
    if entry in self._client._list.entries:
        return None
    return _put(self, entry, reason)


_put = list_client.SuppressionList.put


def _no_turns(_self: Any, _until: datetime) -> None:
    return None


def _turn_taken_by_force(self: Any, moment: datetime, _taken: datetime | None) -> bool:
    self._client.update_item(
        TableName=self._table,
        Key=rate_limiter.KEY,
        UpdateExpression="SET taken_at = :moment",
        ConditionExpression="",
        ExpressionAttributeValues={":moment": {"S": format_timestamp(moment + timedelta(microseconds=999))}},
    )
    return True


def _late_turn(self: Any, until: datetime) -> Any:
    """Use a turn however late its answer comes."""
    while True:
        last = self._last()
        taken = parse_timestamp(last["S"]) if last else None
        moment = max(self._now(), taken + self._interval) if taken else self._now()
        if moment > until:
            return OUT_OF_TIME
        if self._reserve(moment, last):
            self._sleep(max(0.0, (moment - self._now()).total_seconds()))
            return None


def _follow_image(self: Any, event: Any, context: Any) -> Any:
    """Follow the contact as the stream record shows it, not as it is."""
    images = {}
    for record in event.get("Records", ()) if isinstance(event, Mapping) else ():
        image = record["dynamodb"]["NewImage"]
        if image["record"]["S"] == "contact":
            images[image["address"]["S"]] = stored.decode(image)
    contacts = self._mirror._contacts
    real = contacts.read
    contacts.read = lambda addresses, failed, *, consistent: images or real(addresses, failed, consistent=consistent)
    try:
        return _handle(self, event, context)
    finally:
        del contacts.read


_handle = handler.SuppressionHandler.__call__


MUTANTS = (
    mutant("no claim before a write of the list", (sync.Mirror, "_may_claim", _nobody_claims)),
    mutant("a claim shorter than a function lives", (sync, "CLAIM", timedelta(seconds=2))),
    mutant("a claim that never runs out", (sync.Mirror, "_may_claim", _claimed_for_good)),
    mutant("the reason is the latest event's", (sync.Mirror, "_call", _reason_from_evidence)),
    mutant("only the first spelling is listed", (sync.Mirror, "_call", _first_spelling)),
    mutant("only the key is listed", (sync.Mirror, "_call", _key_only)),
    mutant("a call SES refused counts as done", (sync.Mirror, "_call", _refusal_is_done)),
    mutant("a call is tried again without a turn", (sync.Mirror, "_call", _tries_without_turn)),
    mutant("marked done before the call", (sync.Mirror, "_write_list", _marked_first)),
    mutant("marked done whatever changed meanwhile", (sync.Mirror, "_write_list", _marked_whatever)),
    mutant("marked as announced first", (sync.Mirror, "_announce", _hopes_for_announcements)),
    mutant("announced, whatever EventBridge took", (events.Announcer, "announce", _believed_announced)),
    mutant("what is not there can't be deleted", (list_client.SuppressionList, "delete", _absence_is_a_fault)),
    mutant("Put does not replace", (list_client.SuppressionList, "put", _upsert_hoped_for)),
    mutant("calls are not paced", (rate_limiter.Pace, "wait_turn", _no_turns)),
    mutant("a turn is taken without looking", (rate_limiter.Pace, "_reserve", _turn_taken_by_force)),
    mutant("a turn is used however late", (rate_limiter.Pace, "_wait_turn", _late_turn)),
    mutant("the list follows the stream's image", (handler.SuppressionHandler, "__call__", _follow_image)),
)
"""Every design bug of this kind that is tried."""
