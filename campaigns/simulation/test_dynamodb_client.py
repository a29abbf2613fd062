"""The in-memory table answers like DynamoDB, as far as moto implements it."""

from campaigns.simulation.differential import compare_with_moto
from localaws.in_process.embedded_aws import EmbeddedAws

TRACES = 40
"""`python -m campaigns.simulation --traces 5000` compares more, also with the emulator."""


def test_in_memory_table_answers_random_requests_like_moto() -> None:
    with EmbeddedAws() as aws:
        records = sum(compare_with_moto(aws, seed) for seed in range(TRACES))
    assert records > TRACES / 2
