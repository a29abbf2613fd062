"""A slice of `make fuzz`: payloads of every shape keep every promise."""

import subprocess
import sys
from collections import Counter
from dataclasses import asdict

import pytest

from campaigns.fuzz.campaign import Run, check_payloads
from campaigns.fuzz.payloads import generate_payload

PARTS = 4
PAYLOADS = 1_000
"""Payloads of a part; `make fuzz` checks a million."""


@pytest.fixture(scope="module", params=range(PARTS))
def part(request: pytest.FixtureRequest) -> Run:
    """A part of the run."""
    return check_payloads(range(request.param * PAYLOADS, (request.param + 1) * PAYLOADS))


def test_payloads_break_no_promise(part: Run) -> None:
    assert part.statistics.payloads.total() == PAYLOADS
    assert len(part.statistics.dimensions) <= 50
    violations = Counter(f"{one.rule}: {one.description}, seeds {case}" for case, one in part.violations)
    assert violations == {}


def test_payloads_have_every_carrier_and_disposition(part: Run) -> None:
    statistics = part.statistics
    carriers = {shape.partition(",")[0] for shape in statistics.payloads}
    assert len(carriers) == 12
    shares = {name: statistics.total(name) / statistics.dispositions.total() for name in ("applied", "quarantined")}
    assert {name: share > 0.25 for name, share in shares.items()} == {"applied": True, "quarantined": True}
    assert statistics.total("ignored") > 0


def test_the_same_seed_generates_the_same_payload() -> None:
    first, second = ([asdict(generate_payload(seed)) for seed in range(200)] for _ in range(2))
    assert repr(first) == repr(second)


def test_functions_never_load_the_tracing_sdk() -> None:
    code = "import sys, ses_feedback.handlers.feedback, ses_feedback.handlers.suppression; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()  # noqa: S603 (our own code)
    assert "ses_feedback.processing.pipeline" in loaded
    assert [name for name in loaded if name.startswith("aws_xray_sdk")] == []
