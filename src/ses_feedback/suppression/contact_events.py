"""Publish the pending events of contacts, and mark them as published."""

from collections.abc import Sequence

from ses_feedback.contacts.preferences_change import PreferencesChange, change_of_preferences
from ses_feedback.contacts.record import ContactRecord, written
from ses_feedback.contacts.status import Limits, opted_out, standing
from ses_feedback.contacts.status_change import StatusChange
from ses_feedback.immutable import replace
from ses_feedback.suppression.interfaces import ContactEvent, ContactEventPublisher, PendingContacts
from ses_feedback.suppression.report import SyncReport, configuration_set_of

NOT_PUBLISHED = "not-published"
"""The reason why a contact is still pending if EventBridge did not accept its event."""


class ContactEvents:
    """Publishes each pending change of a status or of preferences at least once."""

    def __init__(self, contacts: PendingContacts, publisher: ContactEventPublisher, limits: Limits) -> None:
        """Publish through `publisher` the statuses and preferences that contacts have under `limits`."""
        self._contacts = contacts
        self._publisher = publisher
        self._limits = limits

    def publish_pending(self, pending: Sequence[ContactRecord], report: SyncReport) -> list[ContactRecord]:
        """Publish the events pending among `pending`; return the contacts as they are stored then.

        A contact that was published but could not be marked is left out: its event is published again by a later run.
        A contact whose event was not published is included, because its list entry need not wait for EventBridge.
        """
        changed = [stored for stored in pending if stored.event_pending]
        current = [stored for stored in pending if not stored.event_pending]
        published = self._publish(changed, report)
        for stored in changed:
            events = published.get(stored.contact.address)
            marked = self._mark_published(stored, events, report) if events else stored
            if marked is None:
                continue
            if marked.event_pending:
                report.pending[stored.contact.address] = NOT_PUBLISHED
            current.append(marked)
        return current

    def _publish(self, changed: Sequence[ContactRecord], report: SyncReport) -> dict[str, list[ContactEvent]]:
        """Publish the events of contacts; return the published ones by address."""
        published: dict[str, list[ContactEvent]] = {}
        if report.bus_unresponsive:
            # Each unanswered call takes a timeout. Batch after batch, they would leave no time for the list.
            return published
        for event in self._publisher.publish([event for stored in changed for event in self._events(stored)]):
            published.setdefault(event.address, []).append(event)
        report.bus_unresponsive = self._publisher.unresponsive
        return published

    def _events(self, stored: ContactRecord) -> list[ContactEvent]:
        """Return the pending events of a contact."""
        events: list[ContactEvent] = []
        if stored.publish_pending:
            events.append(self._status_change(stored))
        if stored.preferences_pending:
            events.append(change_of_preferences(stored.contact, stored.published_opted_out, stored.rev))
        return events

    def _status_change(self, stored: ContactRecord) -> StatusChange:
        change = StatusChange(stored.contact.address, stored.published, stored.status, stored.rev)
        evidence = standing(stored.contact, self._limits).evidence
        if evidence is None:
            return change
        return replace(
            change,
            reason=evidence.reason,
            time=evidence.at,
            configuration_set=evidence.configuration_set,
            message_id=evidence.message_id,
            status_code=evidence.status_code,
            tags=evidence.tags,
        )

    def _mark_published(
        self, stored: ContactRecord, events: Sequence[ContactEvent], report: SyncReport
    ) -> ContactRecord | None:
        """Write that `events` are published; return the contact as written, or None if it could not be written."""
        after = replace(stored, rev=stored.rev + 1)
        if any(isinstance(event, StatusChange) for event in events):
            after = replace(after, published=stored.status, publish_pending=False)
        if any(isinstance(event, PreferencesChange) for event in events):
            after = replace(after, published_opted_out=opted_out(stored.contact), preferences_pending=False)
        if not (after.list_pending or after.event_pending):
            after = replace(after, pending_since=None)
        failure = self._contacts.write(after)
        if failure:
            report.pending[stored.contact.address] = failure
            return None
        report.published += len(events)
        if stored.published.may_send is not after.published.may_send:
            name = "ContactReleased" if after.published.may_send else "ContactSuppressed"
            report.metric_counts.count(configuration_set_of(stored, self._limits), name)
        return written(after, self._limits)
