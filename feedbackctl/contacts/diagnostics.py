"""Diagnostics of mail servers, grouped: texts that differ only in addresses, hosts, numbers and ids are one group."""

import re
from collections import Counter
from collections.abc import Iterable

from feedbackctl.printable import one_line

MOST_GROUPS = 1_000
"""Groups that are counted; later ones count as `OTHER`, so that memory is bounded."""
OTHER = "(other)"
WITHOUT_TEXT = "(no text of a mail server is stored)"
_LENGTH = 160
_VARYING = (
    (re.compile(r"<?[^\s<>@]+@[^\s<>@]+>?"), "ADDRESS"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\[[0-9A-Fa-f:.]+\]"), "IP"),
    (re.compile(r"\b(?=\w*\d)[\w-]{10,}(?:\.\w+)?\b"), "ID"),
)


class DiagnosticGroups:
    """Numbers of contacts by group of diagnostics."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, diagnostics: Iterable[str]) -> None:
        """Count one contact, under the first of its diagnostics."""
        group = next(map(group_of, diagnostics), WITHOUT_TEXT)
        known = group in self._counts or len(self._counts) < MOST_GROUPS
        self._counts[group if known else OTHER] += 1

    def largest(self, number: int) -> list[tuple[str, int]]:
        """Return the largest groups with their numbers."""
        return self._counts.most_common(number)


def group_of(diagnostic: str) -> str:
    """Return the group of a diagnostic: its text with a word in place of each address, host and id."""
    text = one_line(diagnostic, 4 * _LENGTH)
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return one_line(text, _LENGTH) or WITHOUT_TEXT
