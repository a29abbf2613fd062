"""Known vulnerabilities of the pinned packages: `python -m tools.audit REQUIREMENTS...`.

It runs pip-audit with the database of OSV (https://osv.dev) and nothing is installed. pip-audit reports "no known
vulnerabilities" also if it found none of the packages; here that is a failure.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_NO_NETWORK = ("ConnectionError", "NameResolutionError", "ConnectTimeout", "ReadTimeout", "ProxyError")
_COMMAND = ("-m", "pip_audit", "--disable-pip", "--require-hashes", "--vulnerability-service", "osv")
_FORMAT = ("--format", "json", "--progress-spinner", "off")

Run = Callable[[Path], "subprocess.CompletedProcess[str]"]


class AuditError(Exception):
    """The audit is incomplete. The message states why."""


def run_pip_audit(requirements: Path) -> "subprocess.CompletedProcess[str]":
    """Run pip-audit for a file of pinned requirements."""
    command = [sys.executable, *_COMMAND, *_FORMAT, "--requirement", str(requirements)]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (this interpreter)


def audit(requirements: Path, run: Run = run_pip_audit) -> list[str]:
    """Return a line for each known vulnerability of the packages in a file.

    Raises:
        AuditError: there is no network, or a package was not found in the database, or pip-audit failed.

    """
    finished = run(requirements)
    try:
        dependencies = json.loads(finished.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        if any(name in finished.stderr for name in _NO_NETWORK):
            raise AuditError("NOT AUDITED: this needs a network, and api.osv.dev cannot be reached.") from None
        last_line = (finished.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise AuditError(f"NOT AUDITED: pip-audit failed: {last_line}") from None
    skipped = [dependency["name"] for dependency in dependencies if "skip_reason" in dependency]
    if skipped or not dependencies:
        raise AuditError(f"NOT AUDITED: {', '.join(skipped) or 'the file names no package'}.")
    return [line for dependency in dependencies for line in _describe(dependency)]


def _describe(dependency: dict[str, Any]) -> Iterable[str]:
    for found in dependency["vulns"]:
        fixed = ", ".join(found["fix_versions"]) or "none"
        yield f"{dependency['name']} {dependency['version']}: {found['id']} (fixed in: {fixed})"


def main(files: Iterable[str], run: Run = run_pip_audit) -> int:
    """Audit the files, print the results, and return 0 if all were audited and have no known vulnerability, else 1."""
    status = 0
    for file in files:
        try:
            lines = audit(Path(file), run)
        except AuditError as error:
            lines = [str(error)]
        status |= bool(lines)
        print(f"{file}: {'no known vulnerability' if not lines else ''}", *lines, sep="\n  " if lines else "")  # noqa: T201 (a command)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
