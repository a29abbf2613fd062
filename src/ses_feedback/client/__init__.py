"""For applications that send email through SES: ask before sending, and pass on what a person chose.

    contacts = Contacts("…ContactsTableName…")
    contacts.may_send("ada@example.com", "newsletter")

    preferences = Preferences("…ComplaintQueueUrl…")
    preferences.unsubscribe("ada@example.com", "newsletter", reason="preference center")

Both use the application's boto3. Nothing else is imported beyond the standard library, so `pip install --no-deps` is
enough. docs/operate/ask-before-you-send.md explains when to fail closed or open, and has recipes.
"""

from ses_feedback.client.contacts import Contacts
from ses_feedback.client.errors import (
    ContactsUnavailableError,
    FeedbackClientError,
    InvalidArgumentError,
    PreferenceNotSentError,
    UnusableAddressError,
)
from ses_feedback.client.preferences import PreferenceReceipt, Preferences

__all__ = [
    "Contacts",
    "ContactsUnavailableError",
    "FeedbackClientError",
    "InvalidArgumentError",
    "PreferenceNotSentError",
    "PreferenceReceipt",
    "Preferences",
    "UnusableAddressError",
]
