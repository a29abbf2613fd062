"""The work grows linearly with hostile input. `make fuzz` also measures the time, and larger inputs."""

import pytest

from campaigns.fuzz.growth import measure
from campaigns.fuzz.hostile_inputs import HOSTILE_INPUTS

FRACTION = 2
"""The tests use inputs of this fraction of the largest size."""


@pytest.mark.parametrize("name", HOSTILE_INPUTS)
def test_calls_and_memory_grow_linearly(name: str) -> None:
    size, build = HOSTILE_INPUTS[name]
    growth = measure(name, (size // FRACTION, build))
    assert growth.counts_are_linear, growth.summary()
