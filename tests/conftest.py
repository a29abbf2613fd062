"""How much Hypothesis tries: the same modest examples on every run, or, for hunting, many that are new each time.

`pytest --hypothesis-profile=long` hunts.
"""

import pytest
from hypothesis import HealthCheck, settings

# Neither has a database: what a run tries depends on the code alone. Nor a deadline: continuous integration is slow.
settings.register_profile("quick", database=None, deadline=None, derandomize=True, max_examples=100)
settings.register_profile(
    "long",
    database=None,
    deadline=None,
    max_examples=5_000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that rewrites the golden files."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the files in tests/events/golden/ from the current outcome",
    )
