"""The table in memory answers as DynamoDB does, as far as moto knows how that is."""

from campaigns.simulation.differential import compare_with_moto
from localaws.in_process.embedded_aws import EmbeddedAws

TRACES = 150
"""Traces tried here; `python -m campaigns.simulation --traces 5000` tries more, also against another endpoint."""


def test_the_same_requests_get_the_same_answers() -> None:
    """Requests as the code makes them, by chance: each is answered alike, and the items and the stream end alike."""
    with EmbeddedAws() as aws:
        written = sum(compare_with_moto(aws, seed) for seed in range(TRACES))
    assert written > TRACES / 2
