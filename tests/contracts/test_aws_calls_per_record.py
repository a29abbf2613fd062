"""What a record costs: the AWS calls and DynamoDB request units of each scenario, counted exactly.

Every number here is money or time: one that grows must have a reason. They come from the functions as they are
composed, on botocore's real clients, against a table that counts as DynamoDB bills (`benchmarks`).
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest

from benchmarks import messages
from benchmarks.dynamodb_units import item_size, read_units, write_units
from benchmarks.lanes import STREAM_BATCH, Lanes, Usage
from benchmarks.table import Table
from benchmarks.template_facts import Stream, read_template
from benchmarks.traffic import records_per_object
from tests.support.dynamodb_table import INDEXES
from tests.support.sam_template import stack

Documents = Iterable[dict[str, Any]]


class Cost(NamedTuple):
    """Calls by DynamoDB operation, and request units."""

    reads: int = 0
    """BatchGetItem"""
    writes: int = 0
    """BatchExecuteStatement"""
    read_units: float = 0
    table_units: float = 0
    index_units: float = 0


FEEDBACK = {
    # n hard bounces of n unknown addresses: one read for 100, one write call for 25 contacts or history items;
    # a contact costs a unit for itself and one for each index it enters, its history one.
    "1 hard bounce": Cost(1, 1, 0.5, 2, 2),
    "10 hard bounces": Cost(1, 1, 5, 20, 20),
    "100 hard bounces": Cost(1, 8, 50, 200, 200),
    "1000 hard bounces": Cost(10, 80, 500, 2000, 2000),
    # Folded: a hundred contacts are read and written once each; ten bounces of a day are ten records or fewer.
    "1000 hard bounces of 100 contacts": Cost(1, 42, 50, 1037, 200),
    "100 soft bounces": Cost(1, 8, 50, 200, 100),
    "100 complaints": Cost(1, 8, 50, 200, 200),
    "100 deliveries to unknown contacts": Cost(1, 4, 50, 100, 0),
    # The bulk of what a sender gets: nothing changes, so nothing is written.
    "100 deliveries on a day that had one": Cost(1, 0, 50, 0, 0),
    "1000 deliveries on a day that had one": Cost(10, 0, 500, 0, 0),
    "100 deliveries on another day": Cost(1, 4, 50, 100, 0),
    # Known feedback: the history is written again, as the first write may have failed; each attempt is billed.
    "100 hard bounces once more": Cost(1, 4, 50, 100, 0),
    "100 opens": Cost(),
}


def _feed(lane: str, documents: Documents, before: Documents = (), *, size: int = 1000) -> Usage:
    lanes = Lanes()
    lanes.process(lane, messages.batches(before, size, lane=lane))
    return lanes.process(lane, messages.batches(documents, size, lane=lane))


def _some(make: Callable[..., dict[str, Any]], number: int, **how: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (mail's own)
    return [make(one, **how) for one in range(number)]


SCENARIOS: dict[str, Callable[[], Usage]] = {
    "1 hard bounce": lambda: _feed("Bounce", _some(messages.bounce, 1)),
    "10 hard bounces": lambda: _feed("Bounce", _some(messages.bounce, 10)),
    "100 hard bounces": lambda: _feed("Bounce", _some(messages.bounce, 100)),
    "1000 hard bounces": lambda: _feed("Bounce", _some(messages.bounce, 1000)),
    "1000 hard bounces of 100 contacts": lambda: _feed(
        "Bounce", [messages.bounce(number % 100, sequence=number // 100) for number in range(1000)]
    ),
    "100 soft bounces": lambda: _feed("Bounce", _some(messages.bounce, 100, soft=True)),
    "100 complaints": lambda: _feed("Complaint", _some(messages.complaint, 100)),
    "100 deliveries to unknown contacts": lambda: _feed("Delivery", _some(messages.delivery, 100)),
    "100 deliveries on a day that had one": lambda: _feed(
        "Delivery", _some(messages.delivery, 100, sequence=60), _some(messages.delivery, 100)
    ),
    "1000 deliveries on a day that had one": lambda: _feed(
        "Delivery", _some(messages.delivery, 1000, sequence=60), _some(messages.delivery, 1000)
    ),
    "100 deliveries on another day": lambda: _feed(
        "Delivery", _some(messages.delivery, 100, sequence=messages.DAY), _some(messages.delivery, 100)
    ),
    "100 hard bounces once more": lambda: _feed("Bounce", _some(messages.bounce, 100), _some(messages.bounce, 100)),
    "100 opens": lambda: _feed("Delivery", _some(messages.opened, 100)),
}


@pytest.mark.parametrize("scenario", FEEDBACK)
def test_feedback_takes_exactly_these_calls_and_units(scenario: str) -> None:
    """A feedback function calls nothing but the two batch operations, so many times, for so many units."""
    spent = SCENARIOS[scenario]()
    expected = FEEDBACK[scenario]
    assert _cost(spent) == expected
    assert spent.calls.total() == expected.reads + expected.writes


@pytest.mark.parametrize(("sequence", "writes"), [(60, 0), (messages.DAY, 120)])
def test_deliveries_in_objects_take_the_calls_and_units_of_messages(sequence: int, writes: int) -> None:
    """And one call of S3 an object: three of them in one batch, on a day that had deliveries and on another."""
    lanes = Lanes()
    lanes.process_objects(_some(messages.delivery, 3000), 1000)
    spent = lanes.process_objects(_some(messages.delivery, 3000, sequence=sequence), 1000)
    assert _cost(spent) == Cost(30, writes, 1500, 25 * writes, 0)
    assert (spent.calls["s3:GetObject"], spent.invocations, spent.calls.total()) == (3, 1, 33 + writes)


def test_objects_hold_as_many_deliveries_as_are_estimated() -> None:
    """The bill's: what Firehose gathers, up to what the template has it gather."""
    stream = read_template(by_firehose=True).stream
    hints = stack(DeliveriesBy="Firehose").properties("DeliveryStream")["ExtendedS3DestinationConfiguration"]
    assert stream == Stream(**_named(hints["BufferingHints"]))
    assert read_template().stream is None
    assert records_per_object(0.001, 900, 2500) == pytest.approx(1.9)
    assert records_per_object(1, 900, 2500) == 901
    assert records_per_object(1000, 900, 2500) == 2500


def _named(hints: dict[str, int]) -> dict[str, int]:
    return {"seconds": hints["IntervalInSeconds"], "size": hints["SizeInMBs"] * 1024**2}


@pytest.mark.parametrize("by_firehose", [False, True])
def test_the_bill_is_of_what_is_read_template(by_firehose: bool) -> None:  # noqa: FBT001 (a parameter)
    """Batches and alarms are the template's, whichever way deliveries come."""
    made = stack(DeliveriesBy="Firehose" if by_firehose else "Topic")
    estimated = read_template(by_firehose=by_firehose)
    assert estimated.alarms == len(made.of_type("AWS::CloudWatch::Alarm"))
    for lane in ("Bounce", "Complaint", "Delivery"):
        source = made.properties(f"{lane}FunctionFeedback")
        expected = (source["BatchSize"], source["MaximumBatchingWindowInSeconds"])
        assert (estimated.functions[lane].batch, estimated.functions[lane].window) == expected


def _cost(spent: Usage) -> Cost:
    return Cost(
        spent.calls["dynamodb:BatchGetItem"],
        spent.calls["dynamodb:BatchExecuteStatement"],
        *(spent.units.get(name, 0) for name in ("reads", "table writes", "index writes")),
    )


MIRROR = {
    # A hard bounce: published, leased, written to the list, marked. The rate_limiter is a read and a write of one item for
    # each call of SES. What the list_sync writes while the list is due comes back on the stream, twice, and is read.
    "100 hard bounces": {
        "dynamodb:BatchExecuteStatement": 300,
        "dynamodb:BatchGetItem": 3,
        "dynamodb:GetItem": 100,
        "dynamodb:UpdateItem": 100,
        "events:PutEvents": 10,
        "sesv2:PutSuppressedDestination": 100,
        "invocations": 3,
        "reads": 400.0,
        "table writes": 400,
        "index writes": 100,
    },
    # A soft bounce is published, and that is all.
    "100 soft bounces": {
        "dynamodb:BatchExecuteStatement": 100,
        "dynamodb:BatchGetItem": 1,
        "events:PutEvents": 10,
        "invocations": 1,
        "reads": 100.0,
        "table writes": 100,
        "index writes": 100,
    },
}


@pytest.mark.parametrize(("kind", "soft"), [("100 hard bounces", False), ("100 soft bounces", True)])
def test_the_mirror_takes_exactly_these_calls_and_units(kind: str, soft: bool) -> None:  # noqa: FBT001 (a parameter)
    """Following a contact takes so many calls and units until the stream is silent."""
    lanes = Lanes()
    lanes.process("Bounce", messages.batches(_some(messages.bounce, 100, soft=soft), 100))
    spent = lanes.sync()
    assert {**spent.calls, **spent.units, "invocations": spent.invocations} == MIRROR[kind]


def test_calls_and_units_are_the_same_however_often_they_are_counted() -> None:
    """Nothing is left to chance: threads finish in any order, and the counts stay."""
    first, second = (SCENARIOS["1000 hard bounces"]() for _ in range(2))
    assert (first.calls, first.units) == (second.calls, second.units)


def test_the_table_that_counts_has_the_templates_indexes() -> None:
    """A new index costs writes: the counting table knows all that the template makes."""
    indexes = stack().properties("ContactsTable")["GlobalSecondaryIndexes"]
    assert {
        index["IndexName"]: tuple(key["AttributeName"] for key in index["KeySchema"]) for index in indexes
    } == INDEXES
    assert {index["Projection"]["ProjectionType"] for index in indexes} == {"KEYS_ONLY"}


def test_the_mirrors_batch_is_the_templates() -> None:
    """Stream records are handed over here as they are deployed."""
    assert stack().properties("SuppressionFunctionContactChanged")["BatchSize"] == STREAM_BATCH


def test_sizes_are_counted_by_dynamodbs_rules() -> None:
    """Names and values in UTF-8; a number takes a byte for two digits and one more, a list three and one an element."""
    item: dict[str, dict[str, Any]] = {
        "a": {"S": "é"},
        "n": {"N": "1234500"},
        "b": {"BOOL": True},
        "l": {"L": [{"S": "xy"}]},
        "m": {"M": {"k": {"S": "v"}}},
    }
    assert item_size(item) == (1 + 2) + (1 + 4) + (1 + 1) + (1 + 3 + 1 + 2) + (1 + 3 + 1 + 2)


def test_units_are_rounded_up_by_kilobytes() -> None:
    """A write is billed by the kilobyte of the larger of what was and what is, a read by four."""
    assert [write_units(1), write_units(1024, 1), write_units(10, 1025), write_units()] == [1, 1, 2, 1]
    assert [read_units(0, consistent=False), read_units(4097, consistent=True)] == [0.5, 2.0]


def test_an_index_entry_that_moves_costs_a_deletion_and_a_write() -> None:
    """DynamoDB bills an index for what leaves it and for what enters it."""
    table = Table()
    item = {"address": {"S": "a"}, "record": {"S": "contact"}, "unsendable": {"S": "x"}, "status_at": {"S": "1"}}
    table.put(item)
    table.put(item | {"status_at": {"S": "2"}})
    table.put(item | {"status_at": {"S": "2"}, "rev": {"N": "3"}})
    assert table.bill.units == {"table writes": 3, "index writes": 3}
