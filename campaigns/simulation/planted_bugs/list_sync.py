"""Design bugs: how the suppression list and the outside world sync."""

# Mutants stand where the real thing does, and so reach into it and take what it takes.
# ruff: noqa: ANN401, ARG001, SLF001

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from campaigns.simulation.planted_bugs.planting import mutant
from ses_feedback.aws import events
from ses_feedback.aws.errors import AWS_ERRORS
from ses_feedback.aws.refusals import OUT_OF_TIME
from ses_feedback.contacts import record as stored
from ses_feedback.contacts import status
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.handlers import suppression as handler
from ses_feedback.immutable import replace
from ses_feedback.judging import facts
from ses_feedback.suppression import entry_writer, interfaces, lease, list_client, rate_limiter, status_events
from ses_feedback.timestamps import format_timestamp, parse_timestamp


def _always_leasable(_stored: ContactRecord, _now: datetime, _own: str = "") -> bool:
    return True


def _leased_forever(stored: ContactRecord, _now: datetime, own: str = "") -> bool:
    return stored.lease in {"", own}


def _reason_from_evidence(self: Any, leased: ContactRecord, wanted: Any, until: datetime) -> Any:
    """Take the reason from the latest event instead of the contact's status."""
    if wanted:
        told = [one for one in (leased.contact.bounced, leased.contact.complained) if one]
        if told:
            wanted = facts.ListReason("COMPLAINT" if max(told).reason.startswith("Complaint") else "BOUNCE")
    return _write_entries(self, leased, wanted, until)


_write_entries = entry_writer.EntryWriter._write_entries


def _first_spelling(self: Any, leased: ContactRecord, wanted: Any, until: datetime) -> Any:
    known = leased.contact
    return _write_entries(self, replace(leased, contact=replace(known, variants=known.variants[:1])), wanted, until)


def _key_only(self: Any, leased: ContactRecord, wanted: Any, until: datetime) -> Any:
    return _write_entries(self, replace(leased, contact=replace(leased.contact, variants=())), wanted, until)


def _refusal_is_done(self: Any, leased: ContactRecord, wanted: Any, until: datetime) -> Any:
    _write_entries(self, leased, wanted, until)


def _tries_without_turn(self: Any, leased: ContactRecord, wanted: Any, until: datetime) -> Any:
    refusal = None
    for entry in {*leased.contact.variants, leased.contact.address}:
        for _ in range(3):
            refusal = self._entries.put(entry, wanted) if wanted else self._entries.delete(entry)
            if refusal is None:
                break
    return refusal


def _marked_first(self: Any, leased: ContactRecord, until: datetime, done: Any) -> str | None:
    """Mark the contact done, then call SES."""
    wanted = status.required_list_reason(leased.contact, self._limits)
    lost: str | None = self._contacts.write(stored.marked(leased, wanted.value if wanted else status.UNLISTED))
    if not lost:
        self._write_entries(leased, wanted, until)
    return lost


def _marked_whatever(self: Any, leased: ContactRecord, until: datetime, done: Any) -> str | None:
    """Mark what is in the table by then, although SES was called for what was there before."""
    lost = _write_leased(self, leased, until, done)
    if lost != interfaces.LOST_RACE:
        return lost
    now = self._contacts.read([leased.contact.address], {}, consistent=True).get(leased.contact.address, leased)
    done_now = replace(now, rev=now.rev + 1, lease="", leased_until=None, list_pending=False)
    refused: str | None = self._contacts.write(
        replace(done_now, pending_since=now.pending_since if now.publish_pending else None)
    )
    return refused


_write_leased = entry_writer.EntryWriter._write_leased


def _hopes_for_announcements(self: Any, due: list[ContactRecord], done: Any) -> list[ContactRecord]:
    """Mark a status published, then publish it."""
    changes = []
    after = []
    for one in due:
        marked = replace(
            one,
            rev=one.rev + 1,
            published=one.status,
            publish_pending=False,
            pending_since=one.pending_since if one.list_pending else None,
        )
        if one.publish_pending and not self._contacts.write(marked):
            changes.append(self._change(one))
            after.append(stored.written(marked, self._limits))
        elif not one.publish_pending:
            after.append(one)
    self._publisher.publish(changes)
    return after


def _believed_announced(self: Any, changes: Sequence[Any]) -> Sequence[Any]:
    _publish_due(self, changes)
    return changes


_publish_due = events.EventPublisher.publish


def _absence_is_a_fault(self: Any, entry: str) -> Any:
    try:
        self._client.delete_suppressed_destination(EmailAddress=entry)
    except AWS_ERRORS as error:
        return list_client._refusal(error)
    return None


def _upsert_hoped_for(self: Any, entry: str, reason: Any) -> Any:
    """Add an entry only where there is none, as if Put failed on one that is there."""
    if entry in self._client._list.entries:
        return None
    return _put(self, entry, reason)


_put = list_client.SuppressionListClient.put


def _no_turns(_self: Any, _until: datetime) -> None:
    return None


def _turn_taken_by_force(self: Any, moment: datetime, _taken: datetime | None) -> bool:
    self._client.update_item(
        TableName=self._table,
        Key=rate_limiter.KEY,
        UpdateExpression="SET reserved_at = :moment",
        ConditionExpression="",
        ExpressionAttributeValues={":moment": {"S": format_timestamp(moment + timedelta(microseconds=999))}},
    )
    return True


def _late_turn(self: Any, until: datetime) -> Any:
    """Use a turn however late its answer comes."""
    while True:
        last = self._latest()
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
    contacts = self._sync._contacts
    real = contacts.read
    contacts.read = lambda addresses, failed, *, consistent: images or real(addresses, failed, consistent=consistent)
    try:
        return _handle(self, event, context)
    finally:
        del contacts.read


_handle = handler.SuppressionHandler.__call__


MUTANTS = (
    mutant("no lease before a write of the list", (entry_writer, "can_lease", _always_leasable)),
    mutant("a lease shorter than a function lives", (lease, "LEASE_DURATION", timedelta(seconds=2))),
    mutant("a lease that never runs out", (entry_writer, "can_lease", _leased_forever)),
    mutant("the reason is the latest event's", (entry_writer.EntryWriter, "_write_entries", _reason_from_evidence)),
    mutant("only the first variant is listed", (entry_writer.EntryWriter, "_write_entries", _first_spelling)),
    mutant("only the key is listed", (entry_writer.EntryWriter, "_write_entries", _key_only)),
    mutant("a call SES refused counts as done", (entry_writer.EntryWriter, "_write_entries", _refusal_is_done)),
    mutant("a call is tried again without a turn", (entry_writer.EntryWriter, "_write_entries", _tries_without_turn)),
    mutant("marked done before the call", (entry_writer.EntryWriter, "_write_leased", _marked_first)),
    mutant("marked done whatever changed meanwhile", (entry_writer.EntryWriter, "_write_leased", _marked_whatever)),
    mutant("marked as published first", (status_events.StatusEvents, "publish_pending", _hopes_for_announcements)),
    mutant("published, whatever EventBridge took", (events.EventPublisher, "publish", _believed_announced)),
    mutant("what is not there can't be deleted", (list_client.SuppressionListClient, "delete", _absence_is_a_fault)),
    mutant("Put does not replace", (list_client.SuppressionListClient, "put", _upsert_hoped_for)),
    mutant("calls are not paced", (rate_limiter.RateLimiter, "acquire", _no_turns)),
    mutant("a turn is taken without looking", (rate_limiter.RateLimiter, "_reserve", _turn_taken_by_force)),
    mutant("a turn is used however late", (rate_limiter.RateLimiter, "_wait_for_moment", _late_turn)),
    mutant("the list follows the stream's image", (handler.SuppressionHandler, "__call__", _follow_image)),
)
"""Every design bug of this kind that is tried."""
