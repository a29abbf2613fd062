"""Addresses and contact keys parsed from recipients."""

import contextlib
from string import ascii_lowercase, ascii_uppercase

import pytest
from hypothesis import given

from ses_feedback.address import Address, AddressError, parse_address
from ses_feedback.address_syntax import MAX_LENGTH, MAX_RAW_LENGTH
from tests.support.strategies import texts, variants

KELVIN = "\u212a"
DOTTED_I = "\u0130"


@pytest.mark.parametrize(
    ("raw", "key", "variant"),
    [
        ("recipient@example.com", "recipient@example.com", "recipient@example.com"),
        ("Recipient@Example.COM", "recipient@example.com", "Recipient@example.com"),
        ("plus+tag/slash@example.com", "plus+tag/slash@example.com", "plus+tag/slash@example.com"),
        ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"),
        (f"{ascii_uppercase}@EXAMPLE.com", f"{ascii_lowercase}@example.com", f"{ascii_uppercase}@example.com"),
        ("a@sub.example.co", "a@sub.example.co", "a@sub.example.co"),
        (f"a@{ascii_uppercase}.example", f"a@{ascii_lowercase}.example", f"a@{ascii_lowercase}.example"),
        ("a@localhost", "a@localhost", "a@localhost"),
        ("a@_mail.example.com", "a@_mail.example.com", "a@_mail.example.com"),
    ],
)
def test_key_is_in_lower_case_and_variant_keeps_the_case_of_the_local_part(raw: str, key: str, variant: str) -> None:
    """SES keeps the same form on its suppression list."""
    assert [Address(key, variant)] * 2 == [parse_address(raw), parse_address(f"A recipient <{raw}>")]


@pytest.mark.parametrize(
    "raw",
    [
        "<Recipient@example.com>",
        "  <Recipient@example.com>\r\n",
        "Recipient, The <Recipient@example.com>",
        '"Recipient, The" <Recipient@example.com>',
        '"with <brackets> and \\"quotes\\"" <Recipient@example.com>',
        '"someone-else@example.org, and others" <Recipient@example.com>',
        '"with <brackets>\\\nover two lines" <Recipient@example.com>',
        '"someone-else@example.org,\\\nand others" <Recipient@example.com>',
        'unbalanced " <Recipient@example.com>',
        "=?utf-8?b?w6k=?= <Recipient@example.com>",
        "Recipient@example.com <Recipient@example.com>",
        "someone-else@example.org <Recipient@example.com>",
        "Recipient@example.com (a comment)",
        "Recipient@EXAMPLE.com.",
        "< Recipient@example.com >",
        "\tRecipient@example.com\n",
    ],
)
def test_brackets_display_names_comments_blanks_and_root_dots_are_removed(raw: str) -> None:
    assert Address("recipient@example.com", "Recipient@example.com") == parse_address(raw)


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ('"a@b"@example.com', '"a@b"@example.com'),
        ('"a <B> c"@example.com', '"a <b> c"@example.com'),
        ('<"a<b"@example.com>', '"a<b"@example.com'),
        ('"display > name" <"a>b"@example.com>', '"a>b"@example.com'),
        ('"say \\"hi\\""@example.com', '"say \\"hi\\""@example.com'),
        ('"(no comment)"@example.com', '"(no comment)"@example.com'),
        ('" "@example.com', '" "@example.com'),
    ],
)
def test_a_quoted_local_part_may_contain_separators(raw: str, key: str) -> None:
    assert key == parse_address(raw).key


def test_a_quoted_local_part_differs_from_the_unquoted_one() -> None:
    """A mail server may deliver them to different mailboxes."""
    assert parse_address("a@example.com").key != parse_address('"a"@example.com').key


@pytest.mark.parametrize(
    "raw",
    ["a@b\u00fccher.example", "a@B\u00dcCHER.example", "a@xn--bcher-kva.example", "a@XN--BCHER-KVA.example"],
)
def test_u_labels_and_a_labels_of_a_domain_have_one_key(raw: str) -> None:
    assert Address("a@xn--bcher-kva.example", "a@xn--bcher-kva.example") == parse_address(raw)


def test_a_domain_literal_is_accepted_in_lower_case() -> None:
    assert (
        parse_address("a@[192.0.2.1]").key,
        parse_address("a@[IPv6:2001:DB8::1]").key,
    ) == ("a@[192.0.2.1]", "a@[ipv6:2001:db8::1]")


def test_only_ascii_letters_of_a_local_part_become_lower_case() -> None:
    assert (
        parse_address(f"\u00c9{ascii_uppercase}\u0391@example.com").key == f"\u00c9{ascii_lowercase}\u0391@example.com"
    )


@pytest.mark.parametrize("letter", [KELVIN, DOTTED_I, "\u017f", "\uff4b"])
def test_no_other_letter_of_a_local_part_becomes_an_ascii_letter(letter: str) -> None:
    assert f"{letter}@example.com" == parse_address(f"{letter}@example.com").key


@pytest.mark.parametrize("letter", [KELVIN, DOTTED_I, "\u017f", "\uff4b", "\u200b", "\u00ad", "\u2060", "\ufeff"])
def test_a_domain_with_a_letter_that_idna_forbids_is_rejected(letter: str) -> None:
    with pytest.raises(AddressError, match="no A-label form"):
        parse_address(f"a@ex{letter}ample.com")


@pytest.mark.parametrize(
    "raw",
    [
        "a@example.com, b@example.com",
        "a@example.com,b@example.com",
        "a@example.com b@example.com",
        "a@example.com; b@example.com",
        "<a@example.com> <b@example.com>",
        "<a@example.com>, b <b@example.com>",
        "a@b@example.com",
        "friends: a@example.com;",
        "friends:a@example.com",
    ],
)
def test_two_addresses_are_rejected(raw: str) -> None:
    with pytest.raises(AddressError):
        parse_address(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "a@example.com, b <b@example.com>",
        "a@example.org, <b@example.com>",
        'a@example.com; "b, c" <b@example.com>',
        '"a" a@example.com, "b" <b@example.com>',
        'a@example.com, b <"b <b>"@example.com>',
        "a@example.com> <b@example.com>",
    ],
)
def test_an_address_list_with_a_last_address_in_brackets_is_rejected(raw: str) -> None:
    """The first address is not a display name of the second."""
    with pytest.raises(AddressError):
        parse_address(raw)


@pytest.mark.parametrize("raw", ["<@relay.example:a@example.com>", "<@one.example,@two.example:a@example.com>"])
def test_a_source_route_is_rejected(raw: str) -> None:
    """RFC 5321 lets servers ignore the route.

    https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.3
    """
    with pytest.raises(AddressError):
        parse_address(raw)


@pytest.mark.parametrize(
    "raw",
    [
        *("", " ", "no-at-sign", "no-domain@", "@example.com", "@", "<>", "< >", "Name <>", ">", "<a@example.com>>"),
        *("a@example.com>", '"a@example.com', "a <b> c@example.com", '"a" b"@example.com', "a\\b@example.com"),
        *("a b@example.com", "a @example.com", "a@ example.com", "a@exam ple.com", "a@example..com", "a@.example.com"),
        *("a@example.com..", "a@-example.com", "a@example-.com", "a@exa!mple.com", "a@[not closed", "a@[]", "a@[x y]"),
        *("a(comment)@example.com", "(comment) a@example.com", "a@example.com (two (nested))"),
        *("a@xn--\u00fc.example", "a@\u00fc\u3002"),
    ],
)
def test_text_without_one_usable_local_part_and_domain_is_rejected(raw: str) -> None:
    with pytest.raises(AddressError):
        parse_address(raw)


@pytest.mark.parametrize(
    "character",
    [
        "\x00",
        "\x1f",
        "\x7f",
        "\r\n",
        "\x85",
        "\u2028",
        "\u200b",
        "\u200d",
        "\u00ad",
        "\ufeff",
        "\ud800",
        "\u00a0",
    ],
)
def test_invisible_characters_and_lone_surrogates_are_rejected(character: str) -> None:
    for raw in (f"a{character}b@example.com", f'"a{character}b"@example.com', f"a@exam{character}ple.com"):
        with pytest.raises(AddressError):
            parse_address(raw)


@pytest.mark.parametrize("wrap", ["{}", "<{}>", "Recipient <{}>"])
def test_a_domain_of_255_characters_is_accepted_and_a_longer_one_is_rejected(wrap: str) -> None:
    longest = "a@" + ".".join(["x" * 63] * 4)
    assert longest == parse_address(wrap.format(longest)).key
    with pytest.raises(AddressError):
        parse_address(wrap.format(f"{longest}x"))


def test_an_address_of_320_octets_is_accepted_and_a_longer_one_is_rejected() -> None:
    assert 64 + len("@") + 255 == MAX_LENGTH
    local = '"' + "x" * (MAX_LENGTH - len('""@example.com')) + '"'
    assert f"{local}@example.com" == parse_address(f"{local}@example.com").key
    with pytest.raises(AddressError, match="is too long"):
        parse_address(f"{local}@example.com.")


def test_a_display_name_counts_toward_the_limit_of_2000_characters_only() -> None:
    address = "<a@example.com>"
    assert parse_address("x" * (2_000 - len(address)) + address).key == "a@example.com"
    with pytest.raises(AddressError, match="too long"):
        parse_address("x" * (2_001 - len(address)) + address)


def test_the_error_message_does_not_contain_the_address() -> None:
    with pytest.raises(AddressError) as error:
        parse_address("secret@b\u212a.example")
    assert "secret" not in f"{error.value!r}{error.value.__cause__!r}"


def repeated(text: str, last: str = "") -> str:
    """Return `text` repeated up to the longest text that is parsed, with `last` at the end."""
    return (text * MAX_RAW_LENGTH)[: MAX_RAW_LENGTH - len(last)] + last


HOSTILE = {
    "quotes": repeated('"', "<>>"),
    "escapes": repeated("\\", '"<>>'),
    "escaped quotes": '"' + repeated('\\"', ">")[1:],
    "escaped quotes before brackets": '"' + repeated('\\"', "<a@example.com>>")[1:-1],
    "escaped quotes and a last escape": '"' + repeated('\\"', "\\<a@example.com>")[1:],
    "quoted pairs": repeated('"\\a"', ">"),
    "opening brackets": repeated("<", ">"),
    "closing brackets": repeated(">"),
    "quoted brackets": repeated('"<"', ">>"),
    "display name": repeated("a", "<<>>"),
    "parentheses": repeated("("),
    "comments": repeated("(a)", "!"),
    "open comments": repeated("(a", ")"),
    "at signs": repeated("@"),
    "dots": "a@" + "a." * 150 + "!",
    "hyphens": "a@" + "a-" * 150 + "!",
    "one label": "a@" + "a" * 300 + "!",
    "U-labels": "a@" + "\u00fc." * 120 + "com",
    "combining marks": "a@" + "\u0300" * 300,
    "joiners": "a@" + "\u200d" * 300,
    "both directions": "a@" + "\u05d01" * 150,
}


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in HOSTILE.items()])
def test_text_that_causes_backtracking_is_parsed_or_rejected(raw: str) -> None:
    """campaigns/fuzz measures how the time grows with the length."""
    try:
        address = parse_address(raw)
    except AddressError:
        return
    assert address.key == parse_address(address.variant).key


@given(texts())
def test_any_text_is_parsed_or_raises_address_error(raw: str) -> None:
    for form in ("{}", "{}@example.com", "a@{}", "a@{}.example", '"{}"@example.com', "{} <a@example.com>", "<{}>"):
        with contextlib.suppress(AddressError):
            assert parse_address(form.format(raw)).key.encode()


@given(variants())
def test_a_variant_is_parsed_to_the_same_address(raw: str) -> None:
    """The suppression list contains variants."""
    try:
        address = parse_address(raw)
    except AddressError:
        return
    assert [address] * 3 == [parse_address(form.format(address.variant)) for form in ("{}", "<{}>", "Name <{}>")]
    assert address.key == parse_address(address.key).key
    assert len(address.key.encode()) <= 4 * MAX_LENGTH
