"""Import of a large file: rate, peak memory, and the write units that it uses.

    python -m benchmarks.contact_import                  # 1,000,000 lines; exit code 1 if a limit is exceeded
    python -m benchmarks.contact_import --lines 50000

A generated file of bounces is planned and imported as by `feedbackctl contact import`. A stub stands for DynamoDB, so
the time is the command's own. The clock of the rate bound is virtual: its waits are added up and printed.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feedbackctl.contact_import.judgement import Rules
from feedbackctl.contact_import.plan import make_plan
from feedbackctl.contact_import.run import ImportRun
from feedbackctl.contact_import.write_budget import WriteBudget
from feedbackctl.contacts.history import OperatorAction
from feedbackctl.suppression_files.reader import recognize_file
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Limits

LINES = 1_000_000
MAX_MEMORY = 60
"""Megabytes that the import may add to the memory of the process before it."""
MAX_UNITS_A_SECOND = 2_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)
_MEGABYTE = 1_024
TABLE = "Contacts"


class EmptyTable:
    """A DynamoDB client that has no item and accepts each write."""

    def batch_get_item(self, **_: Any) -> Mapping[str, Any]:  # noqa: ANN401 (botocore's parameters)
        """Return no item."""
        return {"Responses": {TABLE: []}, "UnprocessedKeys": {}}

    def batch_execute_statement(self, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Return a success for each statement."""
        return {"Responses": [{"TableName": TABLE} for _ in request["Statements"]]}

    def query(self, **_: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """Return no item."""
        return {"Items": []}


class Clock:
    """A clock that only the waits of the rate bound advance."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.time = 0.0

    def sleep(self, seconds: float) -> None:
        """Advance by `seconds`."""
        self.time += seconds


class Budget(WriteBudget):
    """A budget that adds up its units."""

    total = 0

    def spend(self, units: int) -> None:
        """Count the units, then spend them."""
        self.total += units
        super().spend(units)


def write_file(path: Path, lines: int) -> None:
    """Write a file of SendGrid's bounces."""
    with path.open("w") as file:
        file.write("status,reason,email,created\n")
        for number in range(lines):
            reason = f'"550 5.1.1 The email account that you tried to reach does not exist, {number}"'
            file.write(f"5.1.1,{reason},Recipient-{number}@example.com,{1_700_000_000 + number}\n")


def peak_memory() -> float:
    """Return the peak memory of this process in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGABYTE


def run(path: Path) -> tuple[dict[str, float], Budget, Clock]:
    """Plan and import the file. Return the seconds of both steps, and what the rate bound counted."""
    clock = Clock()
    budget = Budget(now=lambda: clock.time, sleep=clock.sleep)
    limits = Limits()
    client = EmptyTable()
    repository = ContactRepository(client, TABLE, limits, history_days=365, now=lambda: NOW, sleep=clock.sleep)
    rules = Rules("sendgrid", NOW)
    began = time.perf_counter()
    plan = make_plan(repository, recognize_file(path, None).read(NOW), rules, lambda _: None)
    planned = time.perf_counter()
    action = OperatorAction("import", "arn:aws:sts::123456789012:user/operator", NOW, "moved", "20260301-00000000")
    importing = ImportRun(repository, limits, 365, rules, action, budget=budget)
    importing.run(plan.entries(), lambda _: None)
    plan.close()
    return {"plan": planned - began, "import": time.perf_counter() - planned}, budget, clock


def main() -> int:
    """Print the figures; return 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=LINES)
    lines = parser.parse_args().lines
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "suppression_bounces.csv"
        write_file(path, lines)
        before = peak_memory()
        seconds, budget, clock = run(path)
    memory = peak_memory() - before
    rate = budget.total / clock.time if clock.time else 0.0
    print(f"lines: {lines:,}")
    for step, duration in seconds.items():
        print(f"{step}: {duration:.1f} s, {lines / duration:,.0f} lines/s")
    print(f"peak memory: {peak_memory():.0f} MB, {memory:.0f} MB more than before (limit {MAX_MEMORY})")
    print(f"write units: {budget.total:,}, {budget.total / lines:.2f} a line")
    print(f"rate bound: {clock.time:,.0f} s, {rate:,.0f} units/s (limit {MAX_UNITS_A_SECOND:,})")
    return int(memory > MAX_MEMORY or rate > MAX_UNITS_A_SECOND)


if __name__ == "__main__":
    sys.exit(main())
