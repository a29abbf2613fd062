"""Mailbox providers, and rejections that concern the sender rather than the mailbox.

A provider that blocks the sender rejects email to living mailboxes. Such a rejection carries an enhanced status code
with subject 7, "security or policy" (https://www.rfc-editor.org/rfc/rfc3463#section-3.8), or names a block list.
"""

import re
from functools import lru_cache

# The names of providers are dimension values: few and fixed, because CloudWatch bills each combination as a metric.
_DOMAINS = {
    "gmail": ("gmail.com", "googlemail.com"),
    "yahoo": ("aol.com", "aim.com", "rocketmail.com", "ymail.com"),
    "apple": ("icloud.com", "mac.com", "me.com"),
    "microsoft": ("msn.com", "passport.com"),
}
PROVIDERS = (*_DOMAINS, "other")
"""Every provider that `find_provider` returns."""
_PROVIDER_OF_DOMAIN = {domain: provider for provider, domains in _DOMAINS.items() for domain in domains}
# Both providers have one domain for each of many countries: hotmail.fr, outlook.com.br, yahoo.co.jp.
_PROVIDER_OF_LABEL = {"hotmail": "microsoft", "live": "microsoft", "outlook": "microsoft", "yahoo": "yahoo"}
# Domains hosted by a provider are known by the provider's own text in the diagnostic code.
_PROVIDER_OF_TEXT = (
    (re.compile(r"\bgsmtp\b|support\.google\.com", re.IGNORECASE), "gmail"),
    (re.compile(r"protection\.outlook\.com|\bprod\.outlook\.com", re.IGNORECASE), "microsoft"),
    (re.compile(r"yahoodns\.net|senders\.yahooinc\.com|postmaster\.yahoo", re.IGNORECASE), "yahoo"),
)

_POLICY_STATUS = re.compile(r"(?<![\d.])[245]\.7\.\d{1,3}(?![\d.])")
_BLOCK_LIST = re.compile(
    r"\b(?:spamhaus|spamcop|barracudacentral|sorbs|dnsbl|rbl|proofpoint|cloudmark|senderscore)\b"
    r"|block(?:ed)?[ -]?list|black[ -]?list|blocked using|listed (?:at|by|in|on) |poor reputation|ip reputation",
    re.IGNORECASE,
)
_PARTS_OF_BLOCK_LISTS = (
    *("list", "spam", "barracuda", "sorbs", "rbl", "dnsbl", "proofpoint", "cloudmark", "senderscore"),
    *("blocked using", "reputation"),
)
"""Every match of `_BLOCK_LIST` contains one of these."""
_SENDER_STATUS = {
    # Gmail: the email is not authenticated (SPF, DKIM, DMARC). https://support.google.com/a/answer/3726730
    "5.7.26": "authentication 5.7.26",
    "5.7.27": "authentication 5.7.27",
    # Outlook.com: authentication is required of high-volume senders. https://learn.microsoft.com/defender-office-365
    "5.7.515": "authentication 5.7.515",
}


@lru_cache(4096)
def _provider_of_domain(domain: str) -> str:
    known = _PROVIDER_OF_DOMAIN.get(domain)
    return known or _PROVIDER_OF_LABEL.get(domain.partition(".")[0], "")


def find_provider(domain: str, text: str = "") -> str:
    """Return the provider of `domain`, or of a mail server that answered with `text`; `other` if it is unknown."""
    provider = _provider_of_domain(domain)
    if provider or not text:
        return provider or "other"
    return next((provider for pattern, provider in _PROVIDER_OF_TEXT if pattern.search(text)), "other")


def is_provider_rejection(status: str, text: str) -> bool:
    """True if the status code or the diagnostic code says that the provider rejects the sender, not the mailbox."""
    return _has_policy_status(status) or _has_policy_status(text) or _names_block_list(text)


def _has_policy_status(text: str) -> bool:
    return ".7." in text and _POLICY_STATUS.search(text) is not None


def _names_block_list(text: str) -> bool:
    # Most texts have none of these parts. Searching for them takes a fifth of the time of the pattern.
    lowered = text.lower()
    for part in _PARTS_OF_BLOCK_LISTS:
        if part in lowered:
            return _BLOCK_LIST.search(text) is not None
    return False


def describe_sender_fault(status: str, text: str) -> str:
    """Return the fault of the sender in a few fixed words, or an empty string if no known fault applies."""
    for code in (*_POLICY_STATUS.findall(status), *_POLICY_STATUS.findall(text)):
        if code in _SENDER_STATUS:
            return _SENDER_STATUS[code]
    return "block list" if _names_block_list(text) else ""
