"""`make audit` states clearly if packages were not audited."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools.audit import AuditError, Run, audit, main

FILE = Path("requirements.txt")
SAFE = {"name": "safe", "version": "1.0", "vulns": []}
VULNERABLE = {"name": "old", "version": "0.1", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["0.2"]}]}
SKIPPED = {"name": "unknown", "skip_reason": "Dependency not found"}
OFFLINE = "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='api.osv.dev', port=443)"


def answer(*dependencies: dict[str, Any], stderr: str = "", stdout: str | None = None) -> Run:
    """Return a run of pip-audit with this result."""
    text = json.dumps({"dependencies": dependencies}) if stdout is None else stdout
    return lambda _: subprocess.CompletedProcess([], 0, text, stderr)


def test_a_known_vulnerability_is_one_line_with_the_fixed_versions() -> None:
    assert audit(FILE, answer(SAFE, VULNERABLE)) == ["old 0.1: PYSEC-2026-1 (fixed in: 0.2)"]


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (answer(stdout="", stderr=OFFLINE), "NOT AUDITED: this needs a network, and api.osv.dev cannot be reached."),
        (answer(stdout="", stderr="Traceback\nKeyError: 1"), "NOT AUDITED: pip-audit failed: KeyError: 1"),
        (answer(stdout="null"), "NOT AUDITED: pip-audit failed: it printed nothing"),
        (answer(SAFE, SKIPPED), "NOT AUDITED: unknown."),
        (answer(), "NOT AUDITED: the file names no package."),
    ],
)
def test_an_incomplete_audit_is_an_error(run: Run, message: str) -> None:
    """pip-audit reports no vulnerability if it found no package."""
    with pytest.raises(AuditError) as raised:
        audit(FILE, run)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("run", "status", "text"),
    [
        (answer(SAFE), 0, "a.txt: no known vulnerability\nb.txt: no known vulnerability\n"),
        (answer(SAFE, VULNERABLE), 1, "a.txt: \n  old 0.1"),
        (answer(stdout="", stderr=OFFLINE), 1, "a.txt: \n  NOT AUDITED"),
    ],
)
def test_the_status_is_zero_only_if_everything_was_audited_and_is_safe(
    capsys: pytest.CaptureFixture[str], run: Run, status: int, text: str
) -> None:
    assert main(["a.txt", "b.txt"], run) == status
    assert capsys.readouterr().out.startswith(text)
