"""Names of event types, bounce types and similar, as SES writes them.

Apart from `ses_events`, so that SuppressionFunction, which reads no events, does not import pydantic.
"""

from functools import lru_cache

MAX_NAME_LENGTH = 64
"""Longest event type, bounce type or similar name that is compared with those of SES."""


def normalize_name(name: str) -> str:
    """Return the ASCII letters and digits of `name` in lower case.

    SES writes one name in several ways: `Rendering Failure`, `RenderingFailure`, `RENDERING_FAILURE`. If `name` is
    longer than any name of SES, return `toolong`, so that the cache stays small.
    """
    return _normalize(name) if len(name) <= MAX_NAME_LENGTH else "toolong"


@lru_cache(maxsize=1024)
def _normalize(name: str) -> str:
    return "".join(c for c in name if c.isascii() and c.isalnum()).lower()
