"""Text of any origin made safe for a terminal.

Diagnostics of mail servers, tags and file names may contain control sequences, which a terminal would execute, and
format characters that reverse the direction of text (https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing).
"""

import re

_KEPT_IN_LINES = "\n"
_SPACES = re.compile(r"\s+")


def printable(text: str) -> str:
    r"""Return `text` with every character that a terminal may interpret as an escape such as `\x1b` or `\u202e`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escape(one) for one in text)


def printable_lines(text: str) -> str:
    """Return `text` as `printable` does, with its line breaks."""
    return _KEPT_IN_LINES.join(printable(line) for line in text.split(_KEPT_IN_LINES))


def one_line(text: str, limit: int) -> str:
    """Return `text` printable, each run of white space as one space, cut to `limit` characters with an ellipsis."""
    line = printable(_SPACES.sub(" ", text).strip())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
