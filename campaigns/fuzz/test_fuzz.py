"""A slice of `make fuzz`: whatever is handed over, and whatever it is handed over with, every promise holds."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

import pytest

from campaigns.fuzz.campaign import play
from campaigns.fuzz.invariants import Violation
from campaigns.fuzz.payloads import make

PARTS = 8
PAYLOADS = 20_000 // PARTS


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_that_anybody_sends_breaks_a_promise(part: int) -> None:
    """Each of 20,000 payloads is accounted for, changes no other, comes to the same again, and shows nobody."""
    done = play(range(part * PAYLOADS, (part + 1) * PAYLOADS))
    assert done.figures.payloads.total() == PAYLOADS
    assert len(done.figures.dimensions) <= 50
    assert _said(done.violations) == {}


def test_payloads_are_what_they_are_meant_to_be() -> None:
    """Every shape is made, and every disposition met: what is only ever quarantined tests nothing."""
    done = play(range(10_000_000, 10_002_000))
    shapes = {shape.partition(",")[0] for shape in done.figures.payloads}
    assert len(shapes) == 12
    shares = {name: done.figures.total(name) / done.figures.dispositions.total() for name in ("applied", "quarantined")}
    assert {name: share > 0.3 for name, share in shares.items()} == {"applied": True, "quarantined": True}
    assert done.figures.total("ignored") > 0


def test_the_same_seed_makes_the_same_payload() -> None:
    """A finding can be found again by its number."""
    assert repr([asdict(make(seed)) for seed in range(300)]) == repr([asdict(make(seed)) for seed in range(300)])


def test_the_functions_are_not_traced() -> None:
    """X-Ray sees nothing, for nothing that would tell it anything is ever loaded."""
    code = "import sys, ses_feedback.handlers.feedback, ses_feedback.handlers.suppression; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()  # noqa: S603 (our own code)
    assert "ses_feedback.processing.pipeline" in loaded
    assert [name for name in loaded if name.startswith("aws_xray_sdk")] == []


def _said(violations: Iterable[tuple[range, Violation]]) -> Counter[str]:
    return Counter(f"{one.rule}: {one.said}, payloads {case.start} to {case.stop - 1}" for case, one in violations)
