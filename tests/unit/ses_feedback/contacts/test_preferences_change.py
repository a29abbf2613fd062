"""PreferencesChange: the fields of the event, and its size."""

import json

from ses_feedback.contacts.contact import KEPT_STREAMS, Contact, Evidence
from ses_feedback.contacts.preferences_change import PreferencesChange, change_of_preferences
from tests.support.builders import (
    AT,
    CONFIGURATION_SET,
    MESSAGE_ID,
    RECIPIENT,
    a_contact,
    an_opt_in,
    an_opt_out,
    on_day,
)

_LARGEST_CALL = 262_144
"""Bytes of all entries of one PutEvents call: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html"""


def test_the_detail_of_a_change_has_every_documented_field() -> None:
    contact = a_contact(an_opt_out("newsletter"), an_opt_out("offers", on_day(-1)), an_opt_in("tips", on_day(-2)))
    change = change_of_preferences(contact, ("offers", "tips"), rev=7)
    assert change.detail_type == "Contact Preferences Changed"
    assert change.detail() == {
        "address": RECIPIENT,
        "opted_out": ["newsletter", "offers"],
        "changed": ["newsletter", "tips"],
        "rev": 7,
        "reason": "Permanent/General",
        "time": "2026-03-01T12:00:05.000Z",
        "configuration_set": CONFIGURATION_SET,
        "message_id": MESSAGE_ID,
    }


def test_a_list_that_changed_back_has_no_reason() -> None:
    contact = a_contact(an_opt_out("newsletter"))
    expected = PreferencesChange(RECIPIENT, ("newsletter",), (), 3)
    assert change_of_preferences(contact, ("newsletter",), rev=3) == expected
    assert expected.detail()["time"] == ""


def test_the_reason_is_that_of_the_latest_request_about_a_changed_name() -> None:
    contact = a_contact(an_opt_out("newsletter", AT), an_opt_out("offers", on_day(1)), an_opt_out("tips", on_day(2)))
    assert change_of_preferences(contact, ("tips",), rev=3).time == on_day(1)


def test_ten_of_the_largest_events_fit_one_call() -> None:
    """A larger call would fail as a whole, each time: its events would never be published."""
    names = [f"{number:02d}".ljust(64, "x") for number in range(KEPT_STREAMS)]
    others = [f"{number:02d}".ljust(64, "y") for number in range(KEPT_STREAMS)]
    longest = Evidence(AT, "\U0001f4e7" * 500, "c" * 64, "m" * 128)
    address = "l" * 64 + "@" + "d" * 255
    contact = Contact(address, unsubscribed=longest, unsubscribed_from=tuple((name, longest) for name in names))
    change = change_of_preferences(contact, tuple(others), rev=10**12)
    assert len(change.changed) == 2 * KEPT_STREAMS + 1
    assert 10 * len(json.dumps(change.detail()).encode()) < _LARGEST_CALL
