"""The Markdown documents link only to what exists, and state the numbers that are in the code."""

import re
import subprocess
import tomllib
from collections import Counter
from datetime import timedelta
from functools import cache
from inspect import signature
from pathlib import Path

import pytest

from benchmarks.prices import DYNAMODB_READ_UNIT, MILLION
from ses_feedback.aws.metrics import MAX_CONFIGURATION_SETS
from ses_feedback.aws.objects import MAX_OBJECT_BYTES
from ses_feedback.client import Contacts
from ses_feedback.client.aws_client import ATTEMPTS as CALLS
from ses_feedback.client.aws_client import CONNECT_TIMEOUT, READ_TIMEOUT
from ses_feedback.client.contact_view import READ_AT_ONCE
from ses_feedback.client.ordered_answers import ATTEMPTS
from ses_feedback.contacts.contact import (
    KEPT_DAYS,
    KEPT_RELEASES,
    KEPT_STREAMS,
    KEPT_VARIANTS,
    MAX_LATENESS,
    MAX_SOFT_BOUNCE_LIMIT,
)
from ses_feedback.contacts.history import HISTORY_A_DAY
from ses_feedback.contacts.record import RETENTION_DAYS, SHARDS
from ses_feedback.contacts.status import ECHO_GRACE
from ses_feedback.processing.delivery_files import EVENTS_PER_BATCH, MAX_QUARANTINED_EVENTS
from ses_feedback.suppression.entry_writer import REJECTED_RETRY_AFTER
from ses_feedback.suppression.import_jobs.model import IMPORT_LEASE_DURATION, MAX_ENTRIES, PAUSE, Action
from ses_feedback.suppression.import_jobs.settle import JOB_LIFETIME
from ses_feedback.suppression.lease import LEASE_DURATION
from tools.package_build.botocore_data import OPERATIONS

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


MAKE_IN_TEXT = re.compile(r"`make (?:[A-Z_]+=\S+ )*([a-z][a-z0-9-]*)")
MAKE_IN_EXAMPLE = re.compile(r"^(?:\$ )?make (?:[A-Z_]+=\S+ )*([a-z][a-z0-9-]*)", re.MULTILINE)


def make_targets() -> frozenset[str]:
    """Return the targets of the Makefile that have a help text."""
    return frozenset(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("document", documents())
def test_every_make_command_in_a_document_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    examples = "\n".join(example[0] for example in FENCE.finditer(text))
    found = {*MAKE_IN_TEXT.findall(text), *MAKE_IN_EXAMPLE.findall(examples)}
    assert found - make_targets() == set()


PATH = re.compile(
    r"`((?:src|tests|campaigns|benchmarks|tools|feedbackctl|localaws|events|requirements|docs)/[\w./-]+)`"
)


@pytest.mark.parametrize("document", documents())
def test_every_path_in_a_document_exists(document: str) -> None:
    missing = [path for path in PATH.findall((ROOT / document).read_text()) if not (ROOT / path).exists()]
    assert missing == []


CONTACT, RUNBOOK = "docs/explain/contact.md", "docs/operate/runbook.md"
ASKING = "docs/operate/ask-before-you-send.md"
LEASES, IMPORTS, FILES = (
    f"docs/explain/decisions/{name}.md"
    for name in ("0004-leases", "0014-import-jobs-for-a-backlog", "0017-deliveries-through-firehose")
)
HOUR = timedelta(hours=1)
MIB = 1024**2

IN_DIGITS = [
    (CONTACT, f"of each of the latest {KEPT_DAYS} days"),
    (
        CONTACT,
        f"{KEPT_DAYS} days. The last clean delivery must be stored until {MAX_SOFT_BOUNCE_LIMIT} soft-bounce days",
    ),
    (CONTACT, f"at most {MAX_LATENESS} | greatest"),
    (CONTACT, f"After {KEPT_RELEASES} releases without a clean delivery"),
    (CONTACT, f"the first {KEPT_STREAMS} names"),
    (CONTACT, f"removed {RETENTION_DAYS} days after the last delivery"),
    (CONTACT, f"union, at most {KEPT_VARIANTS} variants"),
    (CONTACT, f"there are at most {HISTORY_A_DAY} items"),
    (CONTACT, f"spread over {SHARDS} shards"),
    (CONTACT, f"at least {ECHO_GRACE // HOUR} hours newer"),
    (ASKING, f"the shards `00` to `{SHARDS - 1}`"),
    (ASKING, f"costs {DYNAMODB_READ_UNIT / 2 * MILLION:.2f} USD per million addresses"),
    (ASKING, f"keeps the last {signature(Contacts).parameters['cache_size'].default:,} contacts"),
    ("docs/evidence/scale.md", f"at most {MAX_CONFIGURATION_SETS + 1} configuration sets"),
    (
        "docs/evidence/performance.md",
        f"{sum(map(len, OPERATIONS.values()))} operations of {len(OPERATIONS)} services instead",
    ),
    (LEASES, f"for {LEASE_DURATION.seconds} seconds"),
    (IMPORTS, f"{MAX_ENTRIES[Action.PUT]:,} additions or {MAX_ENTRIES[Action.DELETE]:,} deletions"),
    (FILES, f"up to {MAX_OBJECT_BYTES // MIB} MB"),
    (RUNBOOK, f"more than {MAX_OBJECT_BYTES // MIB} MB"),
]


@pytest.mark.parametrize(("document", "words"), IN_DIGITS)
def test_a_number_in_a_document_is_that_of_the_code(document: str, words: str) -> None:
    assert words in " ".join((ROOT / document).read_text().split())


IN_WORDS = [
    (ASKING, "asked again, at most seven times", ATTEMPTS - 1, 7),
    (
        ASKING,
        "one second to connect, one to answer, and three attempts",
        (CONNECT_TIMEOUT, READ_TIMEOUT, CALLS),
        (1, 1, 3),
    ),
    (ASKING, "One call (BatchGetItem) reads a hundred addresses", READ_AT_ONCE, 100),
    (IMPORTS, "for three hours", IMPORT_LEASE_DURATION, 3 * HOUR),
    (IMPORTS, "no import starts for an hour", PAUSE, HOUR),
    (IMPORTS, "once more three days later", JOB_LIFETIME, timedelta(days=3)),
    (FILES, "*More than a hundred lines that are not feedback*", MAX_QUARANTINED_EVENTS, 100),
    (FILES, "a thousand lines at a time", EVENTS_PER_BATCH, 1_000),
    (RUNBOOK, "more than a hundred lines that are not feedback", MAX_QUARANTINED_EVENTS, 100),
    (RUNBOOK, "tried again every six hours", REJECTED_RETRY_AFTER, 6 * HOUR),
]


@pytest.mark.parametrize(("document", "words", "actual", "documented"), IN_WORDS)
def test_a_number_written_in_words_is_that_of_the_code(
    document: str, words: str, actual: object, documented: object
) -> None:
    assert words in " ".join((ROOT / document).read_text().split())
    assert actual == documented


def test_the_cost_in_the_readme_is_that_of_the_calculation() -> None:
    readme = (ROOT / "README.md").read_text()
    of_a_million = (ROOT / "docs/evidence/cost.md").read_text().partition("**1,000,000 ")[2]
    variable = re.search(r"^\| \*\*.*?\*\* \| \*\*([\d.]+)\*\*", of_a_million, re.MULTILINE)
    fixed = re.search(r"USD a month \| ([\d.]+) ", of_a_million)
    assert variable
    assert fixed
    assert f"about {float(variable[1]):.1f} USD per million emails" in readme
    assert f"about {float(fixed[1]):.0f} USD a month" in readme


def test_the_readme_is_at_most_160_lines_long() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160


RUNBOOK_WORDS = re.compile(r"`([a-z]+(?:-[a-z]+)+|failed|abandoned|lost|started)(?:: [^`]*)?`")


def test_every_reason_in_the_runbook_is_one_of_the_code() -> None:
    rows = [row.split("|")[1] for row in (ROOT / RUNBOOK).read_text().splitlines() if row.startswith("| `")]
    reasons = {reason for row in rows for reason in RUNBOOK_WORDS.findall(row)}
    code = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert {"not-json", "unusable-lines", "abandoned"} <= reasons
    assert {reason for reason in reasons if f'"{reason}' not in code} == set()


def test_the_first_release_in_the_changelog_is_the_version_of_the_project() -> None:
    releases = re.findall(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert releases[0] == project["version"]
