"""The table in memory answers as DynamoDB does, as far as moto knows how that is."""

from feedbackctl.embedded import EmbeddedAws
from tests.simulation.against import compare_with_moto

TRACES = 150
"""Traces tried here; `python -m tests.simulation --traces 5000` tries more, also against another endpoint."""


def test_the_same_requests_get_the_same_answers() -> None:
    """Requests as the code makes them, by chance: each is answered alike, and the items and the stream end alike."""
    with EmbeddedAws() as aws:
        written = sum(compare_with_moto(aws, seed) for seed in range(TRACES))
    assert written > TRACES / 2
