"""Hostile input costs as much more as it is longer, and not the square of that."""

import pytest

from campaigns.fuzz.growth import HOSTILE, rows


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_grows_as_the_input_does(name: str) -> None:
    """Four times as long, and about four times the work, counted. `make fuzz` takes the time of it as well."""
    [row] = rows({name: HOSTILE[name]})
    assert row.counts_linear, row.told()
