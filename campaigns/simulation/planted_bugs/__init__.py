"""Design bugs, seeded one at a time into the real code: each must break a promise that the simulator sees.

Most are bugs of public SES feedback processors. A mutant replaces attributes of modules and classes while it is
`planted`; what it replaces them with is as close to the real code as the bug allows.
"""

from campaigns.simulation.planted_bugs import contacts, import_jobs, list_sync, messages, repository
from campaigns.simulation.planted_bugs.planting import Mutant

MUTANTS: tuple[Mutant, ...] = (*contacts.MUTANTS, *repository.MUTANTS, *messages.MUTANTS, *list_sync.MUTANTS)
"""Every design bug that is tried."""

IMPORTING: tuple[Mutant, ...] = import_jobs.MUTANTS
"""Those that only show where a backlog is imported."""

__all__ = ["IMPORTING", "MUTANTS", "Mutant"]
