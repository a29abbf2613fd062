"""Text of any origin, made safe for a terminal."""

import pytest

from feedbackctl.printable import one_line, printable, printable_lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ä 日本", "plain ä 日本"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb\u2066", "a\\u202eb\\u2066"),
        ("caf\udce9", "caf\\udce9"),
        ("a\nb\rc", "a\\nb\\rc"),
        ("\x7f", "\\x7f"),
    ],
)
def test_each_character_that_a_terminal_interprets_is_an_escape(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_every_character_becomes_printable() -> None:
    assert all(printable(chr(code)).isprintable() for code in range(0x11000))


def test_lines_are_kept_where_text_has_several() -> None:
    assert printable_lines("a\x1b\nb") == "a\\x1b\nb"


@pytest.mark.parametrize(("text", "expected"), [(" a\n\t b ", "a b"), ("abcdef", "abcd…"), ("abcde", "abcde")])
def test_one_line_has_single_spaces_and_at_most_the_limit(text: str, expected: str) -> None:
    assert one_line(text, 5) == expected
