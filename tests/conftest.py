"""Hypothesis profiles, and the option that rewrites golden files.

The profile `quick` runs the same 100 examples in every run. The profile `long` runs 5,000 random examples:
`pytest --hypothesis-profile=long`.
"""

import gc

import pytest
from hypothesis import HealthCheck, settings

# Without a database, examples depend on the code only. Without a deadline, slow machines cause no failures.
settings.register_profile("quick", database=None, deadline=None, derandomize=True, max_examples=100)
settings.register_profile(
    "long",
    database=None,
    deadline=None,
    max_examples=5_000,
    print_blob=True,  # the line that reproduces a failure
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that rewrites the golden files."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the files in tests/events/golden/ with the current results",
    )


def pytest_collection_finish() -> None:
    """Exclude modules and collected tests from garbage collection. This saves about 7 % of the CPU time."""
    gc.freeze()
