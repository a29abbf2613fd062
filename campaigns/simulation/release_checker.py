"""Checks of releases: which suspensions a sweep ends, when, and in which order."""

from collections.abc import Callable
from dataclasses import dataclass, field

from campaigns.simulation.messages import format_milliseconds
from campaigns.simulation.oracle import Settings, counting_days, expected_status, stored_registers, suspension_end
from campaigns.simulation.scheduler import Scheduler
from campaigns.simulation.stream_workers import RELEASES_A_RUN
from ses_feedback.timestamps import format_timestamp
from tests.support.dynamodb_table import Item


@dataclass
class _Sweep:
    """The releases of a sweep, and the ends of suspensions that were in the index since it began."""

    released: list[tuple[str, str]] = field(default_factory=list)
    """The least and the greatest end that the sweep may have read of each released contact, in order."""
    replaced: dict[str, list[str]] = field(default_factory=dict)
    """Ends that were replaced since the sweep began, by address: it may have read the index before or after that."""


class ReleaseChecker:
    """Checks each release when it is written. If `in_order`, a sweep must release the oldest suspensions first."""

    def __init__(
        self, scheduler: Scheduler, settings: Settings, add_violation: Callable[[str, str], None], *, in_order: bool
    ) -> None:
        """Pass the promise and a description of each violation to `add_violation`."""
        self._scheduler = scheduler
        self._settings = settings
        self._add_violation = add_violation
        self._in_order = in_order
        self._sweeps: dict[str, _Sweep] = {}

    def begin_sweep(self) -> None:
        """Forget the releases of the previous sweep of the running actor."""
        self._sweeps[self._scheduler.running_actor().name] = _Sweep()

    def note_write(self, old: Item, new: Item) -> None:
        """Note the end of a suspension that a write replaces in the index, for the sweeps that are under way."""
        if "release_at" in old and old["release_at"] != new.get("release_at"):
            for sweep in self._sweeps.values():
                sweep.replaced.setdefault(old["address"]["S"], []).append(old["release_at"]["S"])

    def check(self, old: Item, new: Item) -> None:
        """Check that an ended suspension is released, for its own last soft-bounce day, and nothing else (P3)."""
        address, before, after = old["address"]["S"], stored_registers(old), stored_registers(new)
        ends = suspension_end(before, self._settings)
        if expected_status(before, self._settings) != "suspended" or ends is None:
            self._add_violation("P3", f"{address} is released, but was {old['status']['S']} with {before}")
            return
        if format_milliseconds(self._scheduler.clock // 1000) < format_timestamp(ends):
            self._add_violation("P3", f"{address} is released before {format_timestamp(ends)}")
        day = counting_days(before, self._settings)[-1]
        if after != {**before, "releases": [*before.get("releases", ()), day][-4:]}:
            self._add_violation("P3", f"the release of {address} makes {after} of {before}")
        self._check_sweep(address, format_timestamp(ends))

    def _check_sweep(self, address: str, ended_at: str) -> None:
        """Check that a sweep releases the oldest suspensions first, and a bounded number (P8)."""
        # A write that arrives late belongs to the network, which never began a sweep.
        sweep = self._sweeps.setdefault(self._scheduler.running_actor().name, _Sweep())
        ends = sorted([ended_at, *sweep.replaced.get(address, ())])
        if self._in_order and any(least > ends[-1] for least, _ in sweep.released):
            self._add_violation("P8", f"{address} is released after suspensions that ended later: {sweep.released}")
        sweep.released.append((ends[0], ends[-1]))
        if len(sweep.released) > RELEASES_A_RUN:
            self._add_violation("P8", f"{address} is release number {len(sweep.released)} of a sweep")

    def state(self) -> object:
        """Return the releases of the present sweep of each actor."""
        return sorted((name, sweep.released, sorted(sweep.replaced.items())) for name, sweep in self._sweeps.items())
