"""The Markdown documents link only to what exists, and state the numbers that are in the code."""

import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"``.+?``|`[^`\n]+`")
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+(?:\([^()\s]*\))?)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


def documents() -> list[str]:
    """Return the paths of the Markdown documents in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],  # noqa: S607 (git, as on the PATH)
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for path in listed.splitlines() if (ROOT / path).exists()]


@cache
def text_without_code(document: Path) -> str:
    """Return the text of a document without code, in which brackets are no links."""
    return INLINE_CODE.sub("", FENCE.sub("", document.read_text()))


@cache
def anchors(document: Path) -> frozenset[str]:
    """Return the anchors of a document's headings, as GitHub derives them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in HEADING.findall(FENCE.sub("", document.read_text())):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(found)


def problem_with(link: str, document: Path) -> str:
    """Return why a link of a document does not resolve, or an empty text if it does."""
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    if not target.exists() or not target.is_relative_to(ROOT):
        return f"{link}: no such file"
    if anchor and anchor not in anchors(target):
        return f"{link}: no such heading"
    return ""


@pytest.mark.parametrize("document", documents())
def test_every_relative_link_and_anchor_resolves(document: str) -> None:
    path = ROOT / document
    links = [link for link in LINK.findall(text_without_code(path)) if not re.match(r"[a-z]+:", link)]
    assert [problem for link in links if (problem := problem_with(link, path))] == []


def test_the_index_of_decisions_lists_every_record() -> None:
    folder = ROOT / "docs/explain/decisions"
    listed = re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text())
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))


def test_every_decision_record_has_its_number_and_three_parts() -> None:
    for path in (ROOT / "docs/explain/decisions").glob("[0-9]*.md"):
        text = path.read_text()
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        positions = [text.find(f"**{part}.**") for part in ("Context", "Decision", "Consequences")]
        assert positions == sorted(positions), path.name
        assert -1 not in positions, path.name
