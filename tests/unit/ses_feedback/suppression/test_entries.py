"""List entries of a contact, and the lines of import objects."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ses_feedback.contacts.contact import KEPT_VARIANTS, Contact
from ses_feedback.judging.facts import ListReason
from ses_feedback.suppression.entries import entries_of, is_importable, object_lines, synced_values
from tests.support.builders import RECIPIENT, a_contact, a_fact

WITH_VARIANTS = a_contact(a_fact(address="Recipient@example.com"), a_fact(address="RECIPIENT@example.com"))


def test_every_variant_is_an_entry_and_the_address_is_deleted_too() -> None:
    """SES stores the variants as separate entries."""
    variants = ("RECIPIENT@example.com", "Recipient@example.com")
    assert variants == entries_of(WITH_VARIANTS, ListReason.BOUNCE)
    assert (*variants, RECIPIENT) == entries_of(WITH_VARIANTS, None)


def test_a_contact_without_variants_has_its_address_as_the_only_entry() -> None:
    """An operator may have named the address. It is not deleted twice."""
    assert [entries_of(Contact(RECIPIENT), required) for required in (ListReason.COMPLAINT, None)] == [(RECIPIENT,)] * 2
    assert entries_of(a_contact(a_fact()), None) == (RECIPIENT,)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((), True),
        (("ann@example.com", "o'hara+tag@example.com"), True),
        (("ann@example.com", '"odd one"@example.com'), False),
        (("ünal@example.com", "ann@example.com"), False),
        (("bounce@simulator.amazonses.com",), False),
        (("simulator.amazonses.com@example.com", "ann@notsimulator.amazonses.com"), True),
    ],
)
def test_entries_are_importable_if_ses_accepts_each(entries: tuple[str, ...], expected: bool) -> None:  # noqa: FBT001 (expected)
    assert expected is is_importable(entries)


def test_a_line_is_a_json_object_as_ses_documents_it() -> None:
    """A deletion has no reason: https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html."""
    entries = ("ann@example.com", "bob@example.com")
    put = object_lines(entries[:1], ListReason.COMPLAINT)
    assert put == '{"emailAddress":"ann@example.com","reason":"COMPLAINT"}\n'
    assert object_lines(entries, None) == '{"emailAddress":"ann@example.com"}\n{"emailAddress":"bob@example.com"}\n'
    assert object_lines((), ListReason.BOUNCE) == ""


def test_the_synced_values_of_an_object_are_by_contact() -> None:
    """Variants of an address belong to one contact."""
    text = object_lines(entries_of(WITH_VARIANTS, ListReason.BOUNCE), ListReason.BOUNCE)
    assert synced_values(text + object_lines(["Ann@Example.com"], None)) == {
        RECIPIENT: "BOUNCE",
        "ann@example.com": "NONE",
    }


@pytest.mark.parametrize(
    "line",
    [
        "text",
        "[]",
        "null",
        "{}",
        '{"reason":"BOUNCE"}',
        '{"emailAddress":null}',
        '{"emailAddress":"text"}',
        json.dumps({"emailAddress": ["an address"] * 321}),
    ],
)
def test_a_malformed_line_is_skipped(line: str) -> None:
    before, after = object_lines([RECIPIENT], ListReason.BOUNCE), object_lines(["ann@example.com"], None)
    assert synced_values(f"{before}{line}\n{after}") == {RECIPIENT: "BOUNCE", "ann@example.com": "NONE"}


@given(
    st.sets(st.sampled_from([f"{name}@example.com" for name in "abcdef"]), max_size=KEPT_VARIANTS),
    st.sampled_from([None, *ListReason]),
)
def test_written_lines_are_read_back(entries: set[str], required: ListReason | None) -> None:
    assert synced_values(object_lines(sorted(entries), required)) == dict.fromkeys(entries, required or "NONE")
