"""Rejections that are the sender's fault, explained in plain words.

The codes are those of the IANA registry (https://www.iana.org/assignments/smtp-enhanced-status-codes) and of the large
providers: https://support.google.com/a/answer/3726730,
https://learn.microsoft.com/en-us/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online
"""

import re

from ses_feedback.judging.providers import describe_sender_fault

_CODE = re.compile(r"(?<![\d.])[245]\.7\.(\d{1,3})(?![\d.])")
_AUTHENTICATION = (
    "the provider could not verify that the email is from its From domain. Fix SPF, DKIM and DMARC of the sending "
    "domain; the mailbox itself may be fine"
)
_MEANINGS = {
    "7": "the sender's identity may not be used by this account",
    "20": _AUTHENTICATION,
    "21": _AUTHENTICATION,
    "22": _AUTHENTICATION,
    "23": _AUTHENTICATION,
    "24": _AUTHENTICATION,
    "25": "the sending address has no reverse DNS name",
    "26": _AUTHENTICATION,
    "27": _AUTHENTICATION,
    "28": "the provider limits the sender's volume or rate; send more slowly",
    "29": "the provider requires an encrypted connection (TLS)",
    "30": _AUTHENTICATION,
    "32": _AUTHENTICATION,
    "40": _AUTHENTICATION,
    "509": _AUTHENTICATION,
    "515": _AUTHENTICATION,
    "606": "the provider has blocked the sending address because of its reputation",
}
_BLOCK_LIST = (
    "the sender is on a block list or has a poor reputation there. The mailbox itself may be fine; ask the list or the "
    "provider for removal"
)


def explain_sender_fault(status: str, diagnostic: str) -> str:
    """Return the fault of the sender in plain words, or an empty text if the sender is not known to be at fault."""
    for text in (diagnostic, status):
        for found in _CODE.finditer(text):
            if found[1] in _MEANINGS:
                return f"{found[0]}: {_MEANINGS[found[1]]}"
    return _BLOCK_LIST if describe_sender_fault(status, diagnostic) else ""
