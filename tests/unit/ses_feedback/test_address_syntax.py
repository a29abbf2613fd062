"""The rule that the stack and sending applications share. test_address.py has the cases of the rule itself."""

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ses_feedback.address import parse_address
from ses_feedback.address_syntax import AddressError, normalize_address
from tests.support.strategies import variants

DOMAINS = st.text(st.characters(categories=["Ll", "Lo", "Lu", "Mn", "Nd"], include_characters=".-\u3002\u00df\u00b7"))


def normalized(raw: str) -> tuple[str, str] | None:
    """Return the key and the variant, or None if the address is unusable."""
    try:
        return normalize_address(raw)
    except AddressError:
        return None


@given(variants())
def test_the_stack_and_an_application_derive_the_same_key_and_variant(raw: str) -> None:
    try:
        address = parse_address(raw)
    except AddressError:
        assert normalized(raw) is None
        return
    assert normalized(raw) == (address.key, address.variant)


@given(DOMAINS)
@example("b\u00fccher.example")
@example("B\u00dcCHER\u3002example")
@example("stra\u00dfe.example")
@example("\u4f8b\u3048.\u30c6\u30b9\u30c8")
def test_a_domain_that_idna_accepts_has_the_same_key_without_idna(domain: str) -> None:
    """Without idna fewer domains are rejected, and none is mapped to another key."""
    raw = f"a@{domain}"
    with_idna = normalized(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "idna", None)
        without_idna = normalized(raw)
    assert with_idna in (without_idna, None)


@pytest.mark.parametrize(
    "domain", ["b\u00fccher\ud800.example", "b\u00fccher..example", "b\u00fc\u3002", "a\u00fc!b.example"]
)
def test_an_unusable_domain_is_rejected_without_idna_too(domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "idna", None)
    with pytest.raises(AddressError):
        normalize_address(f"a@{domain}")


def test_idna_is_imported_only_for_an_international_domain() -> None:
    code = (
        "import sys; from ses_feedback.address_syntax import normalize_address as normalize;"
        " normalize('Ada <Ada@example.com.>'); assert 'idna' not in sys.modules;"
        " normalize('a@b\u00fccher.example'); assert 'idna' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 (this interpreter)
