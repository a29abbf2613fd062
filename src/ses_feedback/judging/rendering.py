"""Describe a rendering failure without any value from the email.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-failure-object
"""

import re

from ses_feedback.reading.ses_objects import FailureObject

# Template names: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateEmailTemplate.html
_TEMPLATE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KINDS = (
    (re.compile(r"is not present in the rendering data", re.IGNORECASE), "missing-attribute"),
    (re.compile(r"template .*(?:does not exist|not found)", re.IGNORECASE | re.DOTALL), "missing-template"),
    (re.compile(r"\b(?:json|parse|parsing|syntax|malformed)\b", re.IGNORECASE), "malformed-template"),
    (re.compile(r"\b(?:size|too large|too long|exceed)", re.IGNORECASE), "too-large"),
)


def describe_failure(failure: FailureObject) -> tuple[str, str]:
    """Return the template's name, or an empty string if it is no template name, and the kind of error."""
    name, message = failure.template_name or "", (failure.error_message or "")[:1000]
    kind = next((kind for pattern, kind in _KINDS if pattern.search(message)), "other")
    return (name if _TEMPLATE_NAME.fullmatch(name) else ""), kind
