"""A simulation that also checks the leases of import jobs."""

from campaigns.simulation.campaign import fixed_jitter
from campaigns.simulation.case import Case
from campaigns.simulation.simulator import Simulation
from ses_feedback.timestamps import format_timestamp
from tests.support.dynamodb_table import Item

_JOB_LEASE = "import-"
"""Prefix of the leases of import jobs."""


class ImportSimulation(Simulation):
    """A simulation in which no other worker may take the unexpired lease of an import job."""

    def __init__(self, case: Case) -> None:
        """Compose the simulation of `case`."""
        super().__init__(case)
        self.table.writes.seen = self._check_write

    def _check_write(self, old: Item | None, new: Item) -> None:
        before, after = (item.get("lease", {}).get("S", "") if item else "" for item in (old, new))
        if old and before.startswith(_JOB_LEASE) and after not in {"", before}:
            now = format_timestamp(self.injector.now())
            if old["leased_until"]["S"] > now:
                self.checker.add_violation("P4", f"{after} takes the lease of {new['address']['S']} from {before}")
        self.checker.check_write(old, new)


def run_case(case: Case) -> ImportSimulation:
    """Run one case, in the same way each time."""
    with fixed_jitter(case):
        simulation = ImportSimulation(case)
        simulation.run()
    return simulation
