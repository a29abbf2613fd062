"""Publish the pending status changes of contacts, and mark them as published."""

from collections.abc import Iterable, Sequence

from ses_feedback.contacts.record import ContactRecord, written
from ses_feedback.contacts.status import Limits, standing
from ses_feedback.contacts.status_change import StatusChange
from ses_feedback.immutable import replace
from ses_feedback.suppression.interfaces import PendingContacts, StatusPublisher
from ses_feedback.suppression.report import SyncReport, configuration_set_of

NOT_PUBLISHED = "not-published"
"""The reason why a contact is still pending if EventBridge did not accept its event."""


class StatusEvents:
    """Publishes each pending status change at least once."""

    def __init__(self, contacts: PendingContacts, publisher: StatusPublisher, limits: Limits) -> None:
        """Publish through `publisher` the statuses that contacts have under `limits`."""
        self._contacts = contacts
        self._publisher = publisher
        self._limits = limits

    def publish_pending(self, pending: Sequence[ContactRecord], report: SyncReport) -> list[ContactRecord]:
        """Publish the status changes among `pending`; return the contacts as they are stored then.

        A contact that was published but could not be marked is left out: its event is published again by a later run.
        A contact whose event was not published is included, because its list entry need not wait for EventBridge.
        """
        changed = [stored for stored in pending if stored.publish_pending]
        current = [stored for stored in pending if not stored.publish_pending]
        published = self._publish(changed, report)
        for stored in changed:
            if stored.contact.address not in published:
                report.pending[stored.contact.address] = NOT_PUBLISHED
                current.append(stored)
            elif marked := self._mark_published(stored, report):
                current.append(marked)
        return current

    def _publish(self, changed: Sequence[ContactRecord], report: SyncReport) -> set[str]:
        """Publish the status changes of contacts; return the addresses whose events were published."""
        if report.bus_unresponsive:
            # Each unanswered call takes a timeout. Batch after batch, they would leave no time for the list.
            return set()
        published = self._publisher.publish([self._change(stored) for stored in changed])
        report.bus_unresponsive = self._publisher.unresponsive
        return _addresses(published)

    def _change(self, stored: ContactRecord) -> StatusChange:
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

    def _mark_published(self, stored: ContactRecord, report: SyncReport) -> ContactRecord | None:
        """Write the published status; return the contact as written, or None if it could not be written."""
        after = replace(
            stored,
            rev=stored.rev + 1,
            published=stored.status,
            publish_pending=False,
            pending_since=stored.pending_since if stored.list_pending else None,
        )
        failure = self._contacts.write(after)
        if failure:
            report.pending[stored.contact.address] = failure
            return None
        report.published += 1
        if stored.published.may_send is not stored.status.may_send:
            name = "ContactReleased" if stored.status.may_send else "ContactSuppressed"
            report.metric_counts.count(configuration_set_of(stored, self._limits), name)
        return written(after, self._limits)


def _addresses(changes: Iterable[StatusChange]) -> set[str]:
    return {change.address for change in changes}
