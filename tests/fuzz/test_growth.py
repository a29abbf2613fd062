"""Hostile input costs as much more as it is longer, and not the square of that."""

import pytest

from tests.fuzz.growth import HOSTILE, rows


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_grows_as_the_input_does(name: str) -> None:
    """Four times as long, and about four times the work: counted, and timed where it takes long enough to hurt."""
    tries = (row for _ in range(3) for row in rows({name: HOSTILE[name]}))
    # Counts are the same every time; time on a busy machine is not, so a bad one is taken again.
    assert any(row.linear for row in tries), name
