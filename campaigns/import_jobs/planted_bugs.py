"""Planted bugs of import jobs: those of the simulation, and those that only the cases of this campaign reveal."""

# The replacements have the signatures of the original functions, and use their modules' private names.
# ruff: noqa: ANN401, SLF001

from typing import Any

from campaigns.simulation.planted_bugs import import_jobs
from campaigns.simulation.planted_bugs.planting import planted_bug
from ses_feedback.suppression import entry_writer, lease
from ses_feedback.suppression.import_jobs.model import Stage
from ses_feedback.suppression.import_jobs.start import ImportStarter

_record = ImportStarter._record
_can_lease = lease.can_lease


def _create_before_ledger(self: Any, job: Any, stage: Stage) -> bool:
    return stage is Stage.CREATING or _record(self, job, stage)


def _ignore_leases_of_jobs(stored: Any, *arguments: Any) -> bool:
    return stored.lease.startswith("import-") or _can_lease(stored, *arguments)


PLANTED_BUGS = (
    *import_jobs.PLANTED_BUGS,
    planted_bug("a job is created before the ledger says so", (ImportStarter, "_record", _create_before_ledger)),
    planted_bug("leases of import jobs are ignored", (entry_writer, "can_lease", _ignore_leases_of_jobs)),
)
"""Every planted bug of this campaign."""
