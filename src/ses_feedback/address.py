"""Find the address in what SES names as a recipient, and the key its contact is kept under.

SES reports recipients as it got them: bare, in angle brackets, behind a display name, in any case. Two variants that
a mail server may tell apart must never become one contact unless SES itself treats them as one: SES matches its
suppression list without regard to (ASCII) case, so local parts fold ASCII case and nothing else.
"""

import re

import idna

from ses_feedback.immutable import Struct

MAX_RAW_LENGTH = 2_000
MAX_LENGTH = 320
"""Octets of an addr-spec: 64 + 1 + 255 (RFC 5321 section 4.5.3.1)."""
MAX_DOMAIN_LENGTH = 255

_PLAIN = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
_ANGLE = re.compile(r'((?:[^"<>]|"(?:[^"\\]|\\.)*")*)<((?:[^"<>]|"(?:[^"\\]|\\.)*")*)>', re.DOTALL)
# To the end where the closing quote is missing, or each quote would be tried anew up to there.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_COMMENT = re.compile(r"\([^()]*\)$")
_QUOTED_LOCAL = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"')
_NOT_IN_ATOM = frozenset('"(),:;<>@[\\]')
_ASCII_DOMAIN = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_LITERAL_DOMAIN = re.compile(r"\[[0-9a-z.:]+\]")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class AddressError(ValueError):
    """The text names no single usable address. Its message never holds the text."""


class Address(Struct, frozen=True):
    """One recipient's address: the key of its contact and the variant SES used for it.

    `variant` has the local part as SES wrote it and the domain normalised, which is what SES keeps on its
    suppression list (SES lower-cases only the domain, and its management calls tell local-part case apart).
    """

    key: str
    variant: str


def parse_address(raw: str) -> Address:
    """Return the address in `raw`: an addr-spec, bare or in brackets, with or without a display name or comment.

    Raises:
        AddressError: there is none, more than one, or one no mail server could have accepted.

    """
    if len(raw) > MAX_RAW_LENGTH:
        raise AddressError("the recipient is too long to be an address")
    if len(raw) <= MAX_LENGTH and _PLAIN.fullmatch(raw):
        local, _, domain = raw.rpartition("@")
        domain = domain.lower()
    else:
        local, domain = _split(_addr_spec(raw))
        domain = _normalised_domain(domain)
    if len(domain) > MAX_DOMAIN_LENGTH:
        raise AddressError("the recipient's domain is too long to be one")
    key = local.lower() if local.isascii() else local.translate(_LOWER)
    return Address(f"{key}@{domain}", f"{local}@{domain}")


def _addr_spec(raw: str) -> str:
    text = raw.strip()
    if not text.endswith(">"):
        return _COMMENT.sub("", text).strip()
    if text.count("<") == 1 and text.count(">") == 1:
        display, _, addr_spec = text[:-1].partition("<")
    else:
        match = _ANGLE.fullmatch(text)
        if match is None:
            raise AddressError("the recipient's angle brackets name no single address")
        display, addr_spec = match[1], match[2]
    unquoted = _QUOTED.sub("", display)
    if "@" in unquoted and ("," in unquoted or ";" in unquoted):
        raise AddressError("the recipient is a list of several addresses")
    return addr_spec.strip()


def _split(addr_spec: str) -> tuple[str, str]:
    local, at, domain = addr_spec.rpartition("@")
    quoted = _QUOTED_LOCAL.fullmatch(local) is not None
    if not at or not local or not domain or len(addr_spec.encode("utf-8", "surrogatepass")) > MAX_LENGTH:
        raise AddressError("the recipient has no local part and domain of usable length")
    # str.isprintable is False for controls, format characters and lone surrogates, none of which DynamoDB or SES take.
    if not local.isprintable() or (not quoted and any(c in _NOT_IN_ATOM or c.isspace() for c in local)):
        raise AddressError("the recipient's local part has characters no single address can have")
    return local, domain


def _normalised_domain(domain: str) -> str:
    domain = domain.removesuffix(".").translate(_LOWER)
    if not domain.isascii():
        domain = _a_labels(domain)
    if not (_ASCII_DOMAIN.fullmatch(domain) or _LITERAL_DOMAIN.fullmatch(domain)):
        raise AddressError("the recipient's domain is not a domain name")
    return domain


def _a_labels(domain: str) -> str:
    # Lower-case letter by letter, but never into ASCII: KELVIN SIGN lower-cases to "k", which is another domain.
    lowered = "".join(c if c.lower()[0].isascii() else c.lower() for c in domain)
    try:
        return idna.encode(lowered).decode()
    except UnicodeError:  # idna.IDNAError is one
        raise AddressError("the recipient's domain has no A-label form") from None
