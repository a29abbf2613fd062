"""Syntax of recipient addresses, and the key of the contact that each belongs to.

This module depends on the standard library only, because sending applications import it (`ses_feedback.client`).

SES reports an address as it received it: bare, in angle brackets, with a display name, in any case. Two address
variants become one contact only if SES treats them as one. SES compares addresses with its suppression list without
regard to case (https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html). Therefore the key has
the ASCII letters of the local part in lower case, and nothing else is merged.
"""

import re

MAX_RAW_LENGTH = 2_000
"""Longest text that is parsed, including a display name."""
MAX_LENGTH = 320
"""Octets of an address: 64 + 1 + 255 (https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1)."""
MAX_DOMAIN_LENGTH = 255

_PLAIN = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
_ANGLE = re.compile(r'((?:[^"<>]|"(?:[^"\\]|\\.)*")*)<((?:[^"<>]|"(?:[^"\\]|\\.)*")*)>', re.DOTALL)
# If the closing quote is missing, match to the end. Otherwise each quote would be tried again: quadratic time.
_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_COMMENT = re.compile(r"\([^()]*\)$")
_QUOTED_LOCAL = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"')
_NOT_IN_ATOM = frozenset('"(),:;<>@[\\]')
_ASCII_DOMAIN = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_LITERAL_DOMAIN = re.compile(r"\[[0-9a-z.:]+\]")
# Full stops that separate labels: https://www.rfc-editor.org/rfc/rfc3490#section-3.1
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class AddressError(ValueError):
    """The text does not contain exactly one usable address. The error message never quotes the text."""


def normalize_address(raw: str) -> tuple[str, str]:
    """Return the key and the variant of the address in `raw`; `ses_feedback.address.Address` describes both.

    The address is bare or in angle brackets, with or without a display name or comment.

    Raises:
        AddressError: `raw` contains no address, several addresses, or one that no mail server can have accepted.

    """
    if len(raw) > MAX_RAW_LENGTH:
        raise AddressError("the recipient is too long to be an address")
    if len(raw) <= MAX_LENGTH and _PLAIN.fullmatch(raw):
        local, _, domain = raw.rpartition("@")
        domain = domain.lower()
    else:
        local, domain = _split(_addr_spec(raw))
        domain = _normalize_domain(domain)
    if len(domain) > MAX_DOMAIN_LENGTH:
        raise AddressError("the recipient's domain is too long")
    key = local.lower() if local.isascii() else local.translate(_LOWER)
    return f"{key}@{domain}", f"{local}@{domain}"


def _addr_spec(raw: str) -> str:
    text = raw.strip()
    if not text.endswith(">"):
        return _COMMENT.sub("", text).strip()
    if text.count("<") == 1 and text.count(">") == 1:
        display, _, addr_spec = text[:-1].partition("<")
    else:
        match = _ANGLE.fullmatch(text)
        if match is None:
            raise AddressError("the recipient's angle brackets do not contain exactly one address")
        display, addr_spec = match[1], match[2]
    unquoted = _QUOTED.sub("", display)
    if "@" in unquoted and ("," in unquoted or ";" in unquoted):
        raise AddressError("the recipient is a list of several addresses")
    return addr_spec.strip()


def _split(addr_spec: str) -> tuple[str, str]:
    local, at, domain = addr_spec.rpartition("@")
    quoted = _QUOTED_LOCAL.fullmatch(local) is not None
    if not at or not local or not domain or len(addr_spec.encode("utf-8", "surrogatepass")) > MAX_LENGTH:
        raise AddressError("the recipient has no local part or domain, or is too long")
    # str.isprintable is False for control characters, format characters and lone surrogates. Neither DynamoDB nor SES
    # accepts these.
    if not local.isprintable() or (not quoted and any(c in _NOT_IN_ATOM or c.isspace() for c in local)):
        raise AddressError("the recipient's local part has characters that an address cannot have")
    return local, domain


def _normalize_domain(domain: str) -> str:
    domain = domain.removesuffix(".").translate(_LOWER)
    if not domain.isascii():
        domain = _a_labels(domain)
    if not (_ASCII_DOMAIN.fullmatch(domain) or _LITERAL_DOMAIN.fullmatch(domain)):
        raise AddressError("the recipient's domain is not a domain name")
    return domain


def _a_labels(domain: str) -> str:
    # A-labels: https://www.rfc-editor.org/rfc/rfc5890#section-2.3.2.1
    # Letters are converted to lower case unless the result is ASCII: the KELVIN SIGN becomes "k", another domain.
    lowered = "".join(c if c.lower()[0].isascii() else c.lower() for c in domain)
    # Imported here because it takes a hundredth of a second, and because few domains need it.
    try:
        import idna  # noqa: PLC0415
    except ImportError:
        return _a_labels_unchecked(lowered)
    try:
        return idna.encode(lowered).decode()
    except UnicodeError:  # the base class of idna.IDNAError
        raise AddressError("the recipient's domain has no A-label form") from None


def _a_labels_unchecked(domain: str) -> str:
    """Return what `idna.encode` returns for a valid domain, where a sending application did not install idna.

    A domain that idna rejects is not in the DNS, and the stack has no contact for it.
    """
    try:
        domain.encode()  # Punycode would accept a lone surrogate.
        return ".".join(
            label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in _DOTS.split(domain)
        )
    except UnicodeError:
        raise AddressError("the recipient's domain has no A-label form") from None
