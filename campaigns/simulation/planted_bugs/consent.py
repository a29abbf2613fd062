"""Planted bugs: opt-outs and opt-ins by stream, preference messages, and the event about preferences."""

# A planted bug has the signature of the function that it replaces, and uses private names of its module.
# ruff: noqa: ANN401, SLF001

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from campaigns.simulation.planted_bugs.planting import planted_bug
from ses_feedback.contacts import contact, preferences_change, record, status
from ses_feedback.contacts.contact import ALL_EMAIL, Contact, Evidence, Streams
from ses_feedback.contacts.preferences_change import PreferencesChange
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.status import Limits
from ses_feedback.contacts.status_change import StatusChange
from ses_feedback.immutable import replace
from ses_feedback.judging import judge as judge_module
from ses_feedback.judging import preferences, subscriptions
from ses_feedback.judging.facts import Judgement
from ses_feedback.judging.policy import PolicyOptions
from ses_feedback.judging.subscriptions import PreferenceChange
from ses_feedback.processing import pipeline
from ses_feedback.reading import preference_messages
from ses_feedback.reading.preference_messages import PreferenceMessage
from ses_feedback.suppression import contact_events
from ses_feedback.suppression.contact_events import ContactEvents

_become = record.become
_opted_out = status.opted_out
_opted_out_streams = status.opted_out_streams
_opt_out_of_all = status._opt_out_of_all
_complaint = status._complaint
_judge_preference = preferences.judge_preference
_changes_of = subscriptions.changes_of
_streams_of = preferences._streams_of
_change = preferences_change.change_of_preferences
_publish = ContactEvents._publish
_mark = ContactEvents._mark_published


def _keep_new_request(one: Streams, other: Streams) -> Streams:
    """Let the request that arrives last replace an earlier one."""
    return tuple(sorted((dict(one) | dict(other)).items()))


def _let_opt_in_win(known: Contact) -> tuple[str, ...]:
    opt_ins = dict(known.opted_into)
    outs = dict(known.unsubscribed_from)
    return tuple(name for name in _opted_out_streams(known) if name not in opt_ins or opt_ins[name].at != outs[name].at)


def _clear_streams(known: Contact) -> tuple[str, ...]:
    """Let an operator's reinstatement override opt-outs of streams."""
    return _opted_out_streams(replace(known, opted_in=status._reinstated(known)))


def _clear_opt_out(known: Contact) -> Evidence | None:
    """Let an operator's reinstatement override an opt-out of all email."""
    return _opt_out_of_all(replace(known, opted_in=status._reinstated(known)))


def _withdraw_complaint(known: Contact) -> Evidence | None:
    """Let an opt-in to all email override a complaint."""
    opt_in = dict(known.opted_into).get(ALL_EMAIL)
    opted_in = max((one for one in (known.opted_in, opt_in) if one), default=None)
    return _complaint(replace(known, opted_in=opted_in))


def _ignore_opt_in_to_all(known: Contact) -> Evidence | None:
    return _opt_out_of_all(replace(known, opted_into=()))


def _ignore_undeclared(message: PreferenceMessage, sent_at: datetime, options: PolicyOptions) -> Judgement:
    """Let an opt-out of an undeclared stream mean nothing."""
    judgement = _judge_preference(message, sent_at, options)
    return replace(judgement, facts=()) if message.stream not in {"", *options.streams} else judgement


def _join_undeclared(message: PreferenceMessage, sent_at: datetime, options: PolicyOptions) -> Judgement:
    """Let an opt-in to an undeclared stream mean all email."""
    known = message.stream in options.streams
    return _judge_preference(message if known else replace(message, stream=""), sent_at, options)


def _date_by_application(message: PreferenceMessage, _sent_at: datetime, options: PolicyOptions) -> Judgement:
    """Use the application's time, even if it is after the carrier's."""
    return _judge_preference(message, datetime(9000, 1, 1, tzinfo=UTC), options)


def _date_by_carrier(message: PreferenceMessage, sent_at: datetime, options: PolicyOptions) -> Judgement:
    return _judge_preference(replace(message, time=sent_at), sent_at, options)


def _join_all_email_only(message: PreferenceMessage, rule: Any, options: PolicyOptions) -> Any:
    """Let an opt-in to everything keep the opt-outs of streams."""
    return [stream for stream in _streams_of(message, rule, options) if stream in {"", message.stream}]


def _judge_unchanged_topics(subscription: Any, streams: frozenset[str]) -> list[PreferenceChange]:
    return _changes_of(subscription.model_copy(update={"old_topic_preferences": None}), streams)


def _read_leniently(document: Mapping[str, Any]) -> PreferenceMessage:
    """Ignore unknown fields."""
    known = {"preference", "version", "address", "stream", "reason", "time", "id"}
    return _parse_preference({name: value for name, value in document.items() if name in known})


_parse_preference = preference_messages.parse_preference


def _publish_no_preferences(stored: ContactRecord, new: Contact, limits: Limits, now: datetime) -> ContactRecord | None:
    after = _become(stored, new, limits, now)
    if after is None:
        return None
    since = after.pending_since if after.publish_pending or after.list_pending else None
    return replace(after, preferences_pending=False, pending_since=since)


def _drop_pending_preferences(
    stored: ContactRecord, new: Contact, limits: Limits, now: datetime
) -> ContactRecord | None:
    """Publish nothing if preferences change back before their event is marked."""
    after = _become(stored, new, limits, now)
    if after is None or _opted_out(after.contact) != after.published_opted_out:
        return after
    return _publish_no_preferences(stored, new, limits, now)


def _publish_stale_list(known: Contact, published: tuple[str, ...], rev: int) -> PreferencesChange:
    return replace(_change(known, published, rev), opted_out=published)


def _publish_changed_names_only(known: Contact, published: tuple[str, ...], rev: int) -> PreferencesChange:
    change = _change(known, published, rev)
    return replace(change, opted_out=tuple(name for name in change.opted_out if name in change.changed))


def _publish_without_growing_rev(known: Contact, published: tuple[str, ...], _rev: int) -> PreferencesChange:
    return _change(known, published, 1)


def _count_refused_preferences(self: Any, changed: Sequence[ContactRecord], report: Any) -> Any:
    """Count the preferences of a contact as published as soon as its status is."""
    published = _publish(self, changed, report)
    for stored in changed:
        events = published.get(stored.contact.address, [])
        if any(isinstance(event, StatusChange) for event in events):
            published[stored.contact.address] = self._events(stored)
    return published


def _mark_later_list(self: Any, stored: ContactRecord, events: Sequence[Any], report: Any) -> ContactRecord | None:
    """Mark the contact as it is now, although the event has an earlier list."""
    address = stored.contact.address
    present = self._contacts.read([address], {}, consistent=True).get(address, stored)
    marked: ContactRecord | None = _mark(self, present, events, report)
    return marked


_consent_bug = partial(planted_bug, theme="consent")

PLANTED_BUGS = (
    _consent_bug("the request that arrives last decides", (contact, "_union_of_streams", _keep_new_request)),
    _consent_bug(
        "an opt-in to a stream wins a tie",
        (status, "opted_out_streams", _let_opt_in_win),
        (record, "opted_out_streams", _let_opt_in_win),
    ),
    _consent_bug(
        "an operator's reinstatement overrides opt-outs of streams",
        (status, "opted_out_streams", _clear_streams),
        (record, "opted_out_streams", _clear_streams),
    ),
    _consent_bug("an operator's reinstatement overrides an opt-out", (status, "_opt_out_of_all", _clear_opt_out)),
    _consent_bug("an opt-in to all email removes a complaint", (status, "_complaint", _withdraw_complaint)),
    _consent_bug("an opt-in to all email is ignored", (status, "_opt_out_of_all", _ignore_opt_in_to_all)),
    _consent_bug("an opt-out of an undeclared stream is lost", (pipeline, "judge_preference", _ignore_undeclared)),
    _consent_bug("an opt-in to an undeclared stream means all", (pipeline, "judge_preference", _join_undeclared)),
    _consent_bug("an application dates requests freely", (pipeline, "judge_preference", _date_by_application)),
    _consent_bug("a request has the time of its arrival", (pipeline, "judge_preference", _date_by_carrier)),
    _consent_bug("an opt-in to everything keeps streams", (preferences, "_streams_of", _join_all_email_only)),
    _consent_bug(
        "an unchanged topic is a request",
        *((module, "changes_of", _judge_unchanged_topics) for module in (subscriptions, judge_module)),
    ),
    _consent_bug("a misspelled field is ignored", (pipeline, "parse_preference", _read_leniently)),
    _consent_bug("no change of preferences is published", (record, "become", _publish_no_preferences)),
    _consent_bug(
        "preferences that change back are not published",
        (record, "become", _drop_pending_preferences),
        fault=("put_events", "timed out after effect"),
    ),
    _consent_bug(
        "an event has the list that was published before",
        (contact_events, "change_of_preferences", _publish_stale_list),
    ),
    _consent_bug(
        "an event has the changed streams only", (contact_events, "change_of_preferences", _publish_changed_names_only)
    ),
    _consent_bug(
        "the rev of an event does not grow", (contact_events, "change_of_preferences", _publish_without_growing_rev)
    ),
    _consent_bug(
        "refused preferences count as published with the status",
        (ContactEvents, "_publish", _count_refused_preferences),
        fault=("put_events", "not accepted"),
    ),
    _consent_bug("a list is marked that was not published", (ContactEvents, "_mark_published", _mark_later_list)),
)
"""Planted bugs of this module. Each must break a promise in some case."""
