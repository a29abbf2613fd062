"""What became of mutants, in figures."""

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

from tools.mutation.mutant import Mutant
from tools.mutation.trial import Outcome


@dataclass
class Findings:
    """What became of the mutants of a room, or of all rooms."""

    HEADING: ClassVar = f"{'room':<12}{'mutants':>9}{'killed':>9}{'survived':>10}{'score':>10}{'CPU s':>10}"

    of: str
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    survivors: list[Mutant] = field(default_factory=list)
    seconds: float = 0
    """Of processor time, that the trials took."""

    @property
    def killed(self) -> int:
        """How many were noticed."""
        return self.outcomes[Outcome.KILLED] + self.endless

    @property
    def endless(self) -> int:
        """How many were noticed because they never ended."""
        return self.outcomes[Outcome.ENDLESS]

    @property
    def stillborn(self) -> int:
        """How many could not even be imported; they count in no other figure."""
        return self.outcomes[Outcome.STILLBORN]

    @property
    def score(self) -> float:
        """Percent that were noticed."""
        tried = self.killed + len(self.survivors)
        return 100 * self.killed / tried if tried else 100

    def note(self, mutant: Mutant, outcome: Outcome) -> None:
        """Note what became of `mutant`."""
        self.outcomes[outcome] += 1
        if outcome is Outcome.SURVIVED:
            self.survivors.append(mutant)

    def add(self, other: "Findings") -> None:
        """Add what became of others."""
        self.outcomes += other.outcomes
        self.survivors += other.survivors
        self.seconds += other.seconds

    def row(self) -> str:
        """Return the figures under `HEADING`."""
        survived = len(self.survivors)
        return (
            f"{self.of:<12}{self.killed + survived:>9}{self.killed:>9}{survived:>10}"
            f"{self.score:>8.1f} %{self.seconds:>10.0f}"
        )
