"""Planted bugs: design bugs of the real code, each of which must break a promise that the simulator checks.

Most are bugs of public SES feedback processors. A planted bug replaces attributes of modules and classes while it is
`planted`. To add one, write the replacement next to similar ones and add a row to the `PLANTED_BUGS` of its module.
"""

from campaigns.simulation.planted_bugs import (
    consent,
    contacts,
    expiry,
    import_jobs,
    judging,
    list_sync,
    messages,
    repository,
    suspensions,
)
from campaigns.simulation.planted_bugs.planting import PlantedBug

PLANTED_BUGS: tuple[PlantedBug, ...] = (
    *contacts.PLANTED_BUGS,
    *repository.PLANTED_BUGS,
    *messages.PLANTED_BUGS,
    *judging.PLANTED_BUGS,
    *suspensions.PLANTED_BUGS,
    *expiry.PLANTED_BUGS,
    *consent.PLANTED_BUGS,
    *list_sync.PLANTED_BUGS,
)
"""Planted bugs that ordinary cases must find."""

IMPORT_BUGS: tuple[PlantedBug, ...] = import_jobs.PLANTED_BUGS
"""Planted bugs that only cases with import jobs can find (`case_generator.with_imports`)."""

EXPLORED_BUGS: tuple[PlantedBug, ...] = suspensions.EXPLORED_BUGS
"""Planted bugs that random cases hardly ever find, but the exploration of a small scope does."""


def find_planted_bug(name: str) -> PlantedBug:
    """Return the planted bug with this title."""
    return next(
        planted_bug for planted_bug in (*PLANTED_BUGS, *IMPORT_BUGS, *EXPLORED_BUGS) if planted_bug.name == name
    )


__all__ = ["EXPLORED_BUGS", "IMPORT_BUGS", "PLANTED_BUGS", "PlantedBug", "find_planted_bug"]
