"""The table in memory answers as DynamoDB does, as far as moto knows how that is."""

from feedbackctl.embedded import EmbeddedAws
from tests.simulation.against import compare

TRACES = 150
"""Traces tried here; `python -m tests.simulation --traces 5000` tries more, also against another endpoint."""


def test_the_same_requests_get_the_same_answers() -> None:
    """Requests as the code makes them, by chance: each is answered alike, and the items and the stream end alike."""
    written = 0
    with EmbeddedAws() as aws:
        for seed in range(TRACES):
            table = compare(aws.client("dynamodb"), aws.table_name, seed)
            ours = [change.record["dynamodb"]["NewImage"] for change in table.stream[0]]
            theirs = [record["dynamodb"]["NewImage"] for record in aws.stream_records()]
            assert [image for image in ours if "mirror_due" in image] == theirs
            written += len(ours)
    assert written > TRACES / 2
