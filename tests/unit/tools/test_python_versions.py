"""The code avoids what one of the supported versions of Python does wrong."""

import ast
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_SOURCES = sorted(
    path
    for folder in ("src", "feedbackctl", "localaws", "campaigns", "benchmarks", "tools")
    for path in (_ROOT / folder).rglob("*.py")
)
_POSSESSIVE = re.compile(r"\(\?>|(?<!\\)[*+?}]\+")
_CHARACTER_CLASS = re.compile(r"\[\^?\]?[^\]\\]*(?:\\.[^\]\\]*)*\]", re.DOTALL)


def possessive_literals(source: str) -> list[str]:
    """Return the string literals that contain a possessive quantifier or an atomic group outside character classes."""
    literals = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    texts = [one.decode("latin-1") if isinstance(one, bytes) else one for one in literals]
    return [text for text in texts if isinstance(text, str) and _POSSESSIVE.search(_CHARACTER_CLASS.sub("x", text))]


def test_code_has_no_possessive_quantifier() -> None:
    # Python 3.11.0 to 3.11.4 matches them wrongly (Debian 12 has 3.11.2): https://github.com/python/cpython/issues/106052
    found = {str(path.relative_to(_ROOT)): possessive_literals(path.read_text("utf-8")) for path in _SOURCES}
    assert len(found) > 200
    assert {path: literals for path, literals in found.items() if literals} == {}


@pytest.mark.parametrize("pattern", ['r"a*+"', 'rb"(?:a)++b"', 'r"a{2,3}+"', 'r"[ab]?+"', 'r"(?>ab)"'])
def test_possessive_quantifier_is_found(pattern: str) -> None:
    assert possessive_literals(f"import re\nx = re.compile({pattern})")


@pytest.mark.parametrize("pattern", ['r"[*+]"', 'r"[a*+]+"', r'r"a\*+"', 'r"(?:ab)*"'])
def test_other_pattern_is_not_taken_for_a_possessive_quantifier(pattern: str) -> None:
    assert not possessive_literals(f"import re\nx = re.compile({pattern})")
