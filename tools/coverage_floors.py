"""A pytest plugin: how much of the code, and of which code, tests have to reach, statements and branches.

pytest-cov knows one floor, for everything together. But the rooms that judge are small and pure, so
nothing excuses a branch of theirs that no test takes; and a command line well tested must not hide untested
functions.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import coverage
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

ROOMS = ("address", "timestamps", "reading/envelope", "reading/ses_events", "judging/policy", "contacts/contact")
PURE_ROOMS = [f"src/ses_feedback/{room}.py" for room in ROOMS]
FLOORS = {"the pure rooms": (PURE_ROOMS, 100), "src": (["src/*"], 95), "everything": (["*"], 95)}
SHORTFALLS = pytest.StashKey[list[str]]()


def shortfalls() -> list[str]:
    """Say which floors the coverage just measured does not reach."""
    measured = coverage.Coverage()
    measured.load()
    said = []
    for part, (files, floor) in FLOORS.items():
        percent = measured.report(include=files, file=io.StringIO())
        if percent < floor:
            said.append(f"Coverage of {part} is {percent:.2f} %, and must be {floor} %")
    return said


# Outermost, so that pytest-cov has put together what the workers measured.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Fail the run when coverage was measured and misses a floor."""
    outcome = yield
    coverage_on = bool(session.config.getoption("cov_source", default=None))
    if coverage_on and not hasattr(session.config, "workerinput"):
        session.config.stash[SHORTFALLS] = shortfalls()
        session.testsfailed += len(session.config.stash[SHORTFALLS])
    return outcome


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was missed, above the closing line."""
    for shortfall in config.stash.get(SHORTFALLS, []):
        terminalreporter.write_line(f"ERROR: {shortfall}", red=True, bold=True)
