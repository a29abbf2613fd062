"""Planted bugs: how the suppression list and the subscribers of events follow the contacts."""

# A planted bug has the signature of the function that it replaces, and uses private names of its module.
# ruff: noqa: ANN401, ARG001, SLF001

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from campaigns.simulation.planted_bugs.planting import planted_bug
from ses_feedback.aws.errors import AWS_ERRORS
from ses_feedback.aws.events import EventPublisher
from ses_feedback.aws.refusals import OUT_OF_TIME
from ses_feedback.contacts import record, status
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.handlers.suppression import SuppressionHandler
from ses_feedback.immutable import replace
from ses_feedback.judging.facts import ListReason
from ses_feedback.suppression import entry_writer, lease, list_client, rate_limiter
from ses_feedback.suppression.contact_events import ContactEvents
from ses_feedback.suppression.entry_writer import EntryWriter
from ses_feedback.suppression.interfaces import LOST_RACE
from ses_feedback.suppression.list_client import SuppressionListClient
from ses_feedback.suppression.rate_limiter import RateLimiter
from ses_feedback.timestamps import format_timestamp, parse_timestamp

_write_entries = EntryWriter._write_entries
_write_leased = EntryWriter._write_leased
_publish = EventPublisher.publish
_put = SuppressionListClient.put
_handle = SuppressionHandler.__call__


def _ignore_leases(_stored: ContactRecord, _now: datetime, _own: str = "") -> bool:
    return True


def _ignore_lease_expiry(stored: ContactRecord, _now: datetime, own: str = "") -> bool:
    return stored.lease in {"", own}


def _use_latest_reason(self: Any, leased: ContactRecord, required: Any, deadline: datetime) -> Any:
    """Use the reason of the latest evidence instead of the strongest status."""
    evidence = [each for each in (leased.contact.bounced, leased.contact.complained) if each]
    if required and evidence:
        complained = max(evidence).reason.startswith("Complaint")
        required = ListReason.COMPLAINT if complained else ListReason.BOUNCE
    return _write_entries(self, leased, required, deadline)


def _write_first_variant(self: Any, leased: ContactRecord, required: Any, deadline: datetime) -> Any:
    contact = replace(leased.contact, variants=leased.contact.variants[:1])
    return _write_entries(self, replace(leased, contact=contact), required, deadline)


def _write_key_only(self: Any, leased: ContactRecord, required: Any, deadline: datetime) -> Any:
    return _write_entries(self, replace(leased, contact=replace(leased.contact, variants=())), required, deadline)


def _ignore_refusal(self: Any, leased: ContactRecord, required: Any, deadline: datetime) -> Any:
    _write_entries(self, leased, required, deadline)


def _repeat_without_rate_limiter(self: Any, leased: ContactRecord, required: Any, deadline: datetime) -> Any:
    refusal = None
    for entry in {*leased.contact.variants, leased.contact.address}:
        for _ in range(3):
            refusal = self._entries.put(entry, required) if required else self._entries.delete(entry)
            if refusal is None:
                break
    return refusal


def _mark_before_call(self: Any, leased: ContactRecord, deadline: datetime, report: Any) -> str | None:
    required = status.required_list_reason(leased.contact, self._limits)
    failure: str | None = self._contacts.write(record.marked(leased, required.value if required else status.UNLISTED))
    if not failure:
        self._write_entries(leased, required, deadline)
    return failure


def _mark_changed_contact(self: Any, leased: ContactRecord, deadline: datetime, report: Any) -> str | None:
    """Mark the present contact as synced, although SES was called for an earlier one."""
    failure = _write_leased(self, leased, deadline, report)
    if failure != LOST_RACE:
        return failure
    address = leased.contact.address
    present = self._contacts.read([address], {}, consistent=True).get(address, leased)
    marked = replace(
        present,
        rev=present.rev + 1,
        lease="",
        leased_until=None,
        list_pending=False,
        pending_since=present.pending_since if present.event_pending else None,
    )
    mark_failure: str | None = self._contacts.write(marked)
    return mark_failure


def _mark_before_publishing(self: Any, pending: list[ContactRecord], report: Any) -> list[ContactRecord]:
    changes = []
    current = []
    for stored in pending:
        marked = replace(
            stored,
            rev=stored.rev + 1,
            published=stored.status,
            published_opted_out=status.opted_out(stored.contact),
            publish_pending=False,
            preferences_pending=False,
            pending_since=stored.pending_since if stored.list_pending else None,
        )
        if stored.event_pending and not self._contacts.write(marked):
            changes += self._events(stored)
            current.append(record.written(marked, self._limits))
        elif not stored.event_pending:
            current.append(stored)
    self._publisher.publish(changes)
    return current


def _ignore_rejected_events(self: Any, changes: Sequence[Any]) -> Sequence[Any]:
    _publish(self, changes)
    return changes


def _refuse_missing_entry(self: Any, entry: str) -> Any:
    try:
        self._client.delete_suppressed_destination(EmailAddress=entry)
    except AWS_ERRORS as error:
        return list_client._refusal(error)
    return None


def _keep_existing_entry(self: Any, entry: str, reason: Any) -> Any:
    if entry in self._client._suppressed.entries:
        return None
    return _put(self, entry, reason)


def _acquire_at_once(_self: Any, _deadline: datetime) -> None:
    return None


def _reserve_without_condition(self: Any, moment: datetime, _latest: Any) -> bool:
    self._client.update_item(
        TableName=self._table,
        Key=rate_limiter.KEY,
        UpdateExpression="SET reserved_at = :moment",
        ConditionExpression="",
        ExpressionAttributeValues={":moment": {"S": format_timestamp(moment + timedelta(microseconds=999))}},
    )
    return True


def _use_late_moment(self: Any, deadline: datetime) -> Any:
    """Use a reserved moment, however late DynamoDB answers."""
    while True:
        latest = self._latest()
        reserved = parse_timestamp(latest["S"]) if latest else None
        moment = max(self._now(), reserved + self._interval) if reserved else self._now()
        if moment > deadline:
            return OUT_OF_TIME
        if self._reserve(moment, latest):
            self._sleep(max(0.0, (moment - self._now()).total_seconds()))
            return None


def _follow_stream_image(self: Any, event: Any, context: Any) -> Any:
    """Use the contact in the stream record instead of the one in the table."""
    images = {}
    for change in event.get("Records", ()) if isinstance(event, Mapping) else ():
        image = change["dynamodb"]["NewImage"]
        if image["record"]["S"] == "contact":
            images[image["address"]["S"]] = record.decode(image)
    contacts = self._sync._contacts
    read = contacts.read
    contacts.read = lambda addresses, failed, *, consistent: images or read(addresses, failed, consistent=consistent)
    try:
        return _handle(self, event, context)
    finally:
        del contacts.read


PLANTED_BUGS = (
    planted_bug(
        "the list is written without a lease",
        (entry_writer, "can_lease", _ignore_leases),
        fault=("put_suppressed_destination", "crashed, effect later"),
    ),
    planted_bug(
        "a lease expires before its function ends",
        (lease, "LEASE_DURATION", timedelta(seconds=2)),
        fault=("put_suppressed_destination", "crashed, effect later"),
    ),
    planted_bug("a lease never expires", (entry_writer, "can_lease", _ignore_lease_expiry)),
    planted_bug("the latest evidence decides the reason", (EntryWriter, "_write_entries", _use_latest_reason)),
    planted_bug("only the first variant is listed", (EntryWriter, "_write_entries", _write_first_variant)),
    planted_bug("only the key is listed", (EntryWriter, "_write_entries", _write_key_only)),
    planted_bug("a call that SES refused counts as done", (EntryWriter, "_write_entries", _ignore_refusal)),
    planted_bug(
        "a call is repeated without the rate limiter", (EntryWriter, "_write_entries", _repeat_without_rate_limiter)
    ),
    planted_bug("a contact is marked before the call of SES", (EntryWriter, "_write_leased", _mark_before_call)),
    planted_bug(
        "a contact that changed during the call is marked", (EntryWriter, "_write_leased", _mark_changed_contact)
    ),
    planted_bug(
        "a contact is marked before its event is published", (ContactEvents, "publish_pending", _mark_before_publishing)
    ),
    planted_bug("a rejected event counts as published", (EventPublisher, "publish", _ignore_rejected_events)),
    planted_bug("deletion of a missing entry fails", (SuppressionListClient, "delete", _refuse_missing_entry)),
    planted_bug("Put does not replace an entry", (SuppressionListClient, "put", _keep_existing_entry)),
    planted_bug("calls of SES have no rate limiter", (RateLimiter, "acquire", _acquire_at_once)),
    planted_bug(
        "a moment is reserved without a condition",
        (RateLimiter, "_reserve", _reserve_without_condition),
        fault=("get_item", "stalled after effect"),
    ),
    planted_bug(
        "a reserved moment is used too late",
        (RateLimiter, "_wait_for_moment", _use_late_moment),
        fault=("update_item", "stalled after effect"),
    ),
    planted_bug("the list follows the image in the stream", (SuppressionHandler, "__call__", _follow_stream_image)),
)
"""Planted bugs of this module. Each must break a promise in some case."""
