"""Refusals of IAM that code below the commands reports as an error code: the operator reads which action is missing."""

from collections.abc import Iterable, Mapping

from feedbackctl.aws_failures import DENIED
from ses_feedback.contacts.record import UNREADABLE

INSERT, UPDATE = "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"
READ = "dynamodb:BatchGetItem"
RATE_LIMITER = "dynamodb:GetItem and dynamodb:UpdateItem"
"""Actions by which contacts are written and read, and SES calls reserve their moment."""


def describe_code(code: str, action: str) -> str:
    """Return that the policy lacks `action` if the error code is one of IAM, else the code itself."""
    if code not in DENIED:
        return code
    return f"access denied: your IAM policy does not allow {action}; `feedbackctl iam` prints one that does"


def describe_codes(codes: Iterable[str], action: str) -> str:
    """Return each different one of the codes, as `describe_code` does, or an empty text without codes."""
    return ", ".join(sorted({describe_code(code, action) for code in codes}))


def describe_unread(unread: Mapping[str, str]) -> str:
    """Return why DynamoDB did not return contacts, from their error codes, or an empty text if it did.

    A contact that is unreadable was returned: commands count it, and the runbook says what to do.
    """
    return describe_codes((code for code in unread.values() if code != UNREADABLE), READ)
