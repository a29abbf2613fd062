"""A slice of `make import-jobs`: cases with import jobs break no promise, and planted bugs are found."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain

import pytest

from campaigns.import_jobs.backlog import clear
from campaigns.import_jobs.cases import PLANS, cases_with_each_fault, generate_import_case
from campaigns.import_jobs.planted_bugs import PLANTED_BUGS
from campaigns.import_jobs.simulator import run_case
from campaigns.simulation.case import Case
from campaigns.simulation.planted_bugs.planting import PlantedBug

CASES = 300
"""`make import-jobs` runs thousands."""
MAX_CALLS = 2
"""Calls of each operation that fail, one at a time; `make import-jobs` lets eight fail."""
MAX_CASES = 600
"""Random cases within which a planted bug must be found."""


def violations(case: Case) -> list[str]:
    """Return the promises that a case breaks."""
    return [str(violation) for violation in run_case(case).checker.violations]


def test_random_cases_with_import_jobs_break_no_promise() -> None:
    results: set[tuple[str, bool]] = set()
    for seed in range(CASES):
        simulation = run_case(generate_import_case(seed))
        assert [str(violation) for violation in simulation.checker.violations] == [], seed
        results |= {(job.status, bool(job.failed)) for job in simulation.imports.jobs.values()}
    assert results >= {("COMPLETED", False), ("COMPLETED", True), ("FAILED", True)}


@pytest.mark.parametrize("plan", PLANS)
def test_each_fault_of_a_call_during_an_import_breaks_no_promise(plan: str) -> None:
    cases = list(cases_with_each_fault(PLANS[plan], MAX_CALLS))
    assert run_case(cases[0]).imports.jobs != {}
    assert len(cases) > 200
    assert {str(case.faults): broken for case in cases if (broken := violations(case))} == {}


@pytest.mark.parametrize("bug", PLANTED_BUGS, ids=lambda bug: bug.name)
def test_planted_bug_breaks_a_promise(bug: PlantedBug) -> None:
    with bug.planted():
        found = next(filter(None, map(violations, _revealing_cases())), [])
    assert found != []
    # A wrong name in a planted bug must not pass for a bug that was found.
    assert not any(error in found[0] for error in ("AttributeError", "NameError", "TypeError"))


def _revealing_cases() -> Iterator[Case]:
    """Yield cases in which creating a job fails, and random cases."""
    failing = (cases_with_each_fault(plan, MAX_CALLS, ["create_import_job"]) for plan in PLANS.values())
    return chain(chain.from_iterable(failing), map(generate_import_case, range(MAX_CASES)))


@pytest.mark.parametrize("limit", [None, 500])
def test_sweeps_clear_a_backlog_with_and_without_import_jobs(limit: int | None) -> None:
    cleared = clear(1_000, timedelta(minutes=10), limit)
    assert (cleared.imported > 0) is (limit is not None)
    assert cleared.imported + cleared.put == 1_000
