"""AWS calls and DynamoDB request units of each scenario, counted exactly.

Every number is money or time, so an increase needs a reason. The functions are composed as deployed, with botocore's
clients, on a table that counts units as DynamoDB bills them (`benchmarks`).
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
from localaws.cloudwatch.alarms import watched_metrics
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
    # Merged: a hundred contacts are read and written once each; ten bounces of a day are ten records or fewer.
    "1000 hard bounces of 100 contacts": Cost(1, 42, 50, 1037, 200),
    "100 soft bounces": Cost(1, 8, 50, 200, 100),
    "100 complaints": Cost(1, 8, 50, 200, 200),
    "100 deliveries to unknown contacts": Cost(1, 4, 50, 100, 0),
    # The most frequent event: nothing changes, so nothing is written.
    "100 deliveries on a day that had one": Cost(1, 0, 50, 0, 0),
    "1000 deliveries on a day that had one": Cost(10, 0, 500, 0, 0),
    "100 deliveries on another day": Cost(1, 4, 50, 100, 0),
    # An earlier delivery of a day that had one costs a write, because it may belong to an email that bounces.
    "100 earlier deliveries of a day that had one": Cost(1, 4, 50, 100, 0),
    "100 earlier deliveries of a day, once more": Cost(1, 0, 50, 0, 0),
    # Known feedback: the history is written again, as the first write may have failed; each attempt is billed.
    "100 hard bounces once more": Cost(1, 4, 50, 100, 0),
    "100 opens": Cost(),
}


def _feed(lane: str, documents: Documents, before: Documents = (), *, size: int = 1000) -> Usage:
    lanes = Lanes()
    lanes.process(lane, messages.batches(before, size, lane=lane))
    return lanes.process(lane, messages.batches(documents, size, lane=lane))


def _some(create: Callable[..., dict[str, Any]], number: int, **options: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (arguments of `create`)
    return [create(index, **options) for index in range(number)]


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
    "100 earlier deliveries of a day that had one": lambda: _feed(
        "Delivery", _some(messages.delivery, 100), _some(messages.delivery, 100, sequence=60)
    ),
    "100 earlier deliveries of a day, once more": lambda: _feed(
        "Delivery",
        _some(messages.delivery, 100),
        [*_some(messages.delivery, 100), *_some(messages.delivery, 100, sequence=60)],
    ),
    "100 hard bounces once more": lambda: _feed("Bounce", _some(messages.bounce, 100), _some(messages.bounce, 100)),
    "100 opens": lambda: _feed("Delivery", _some(messages.opened, 100)),
}


@pytest.mark.parametrize("scenario", FEEDBACK)
def test_a_feedback_function_makes_exactly_the_listed_calls_and_uses_the_listed_units(scenario: str) -> None:
    spent = SCENARIOS[scenario]()
    expected = FEEDBACK[scenario]
    assert _cost(spent) == expected
    assert spent.calls.total() == expected.reads + expected.writes


@pytest.mark.parametrize(("sequence", "writes"), [(60, 0), (messages.DAY, 120)])
def test_deliveries_in_files_cost_the_same_as_in_messages_plus_one_call_of_s3_per_file(
    sequence: int, writes: int
) -> None:
    lanes = Lanes()
    lanes.process_objects(_some(messages.delivery, 3000), 1000)
    spent = lanes.process_objects(_some(messages.delivery, 3000, sequence=sequence), 1000)
    assert _cost(spent) == Cost(30, writes, 1500, 25 * writes, 0)
    assert (spent.calls["s3:GetObject"], spent.invocations, spent.calls.total()) == (3, 1, 33 + writes)


def test_the_estimated_size_of_delivery_files_uses_the_buffering_hints_of_the_template() -> None:
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
def test_the_bill_uses_batch_sizes_and_alarms_of_the_template(by_firehose: bool) -> None:  # noqa: FBT001 (a parameter)
    resources = stack(DeliveriesBy="Firehose" if by_firehose else "Topic")
    estimated = read_template(by_firehose=by_firehose)
    alarms = resources.of_type("AWS::CloudWatch::Alarm")
    assert estimated.alarms == {name: len(watched_metrics(alarm)) for name, alarm in alarms.items()}
    for lane in ("Bounce", "Complaint", "Delivery"):
        source = resources.properties(f"{lane}FunctionFeedback")
        expected = (source["BatchSize"], source["MaximumBatchingWindowInSeconds"])
        assert (estimated.functions[lane].batch, estimated.functions[lane].window) == expected


def _cost(spent: Usage) -> Cost:
    return Cost(
        spent.calls["dynamodb:BatchGetItem"],
        spent.calls["dynamodb:BatchExecuteStatement"],
        *(spent.units.get(name, 0) for name in ("reads", "table writes", "index writes")),
    )


SYNC = {
    # A hard bounce: published, leased, written to the list, marked. The rate limiter reads and writes one item for each
    # SES call. Two writes of the sync return on the stream while the contact is pending, and cause reads.
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
    # A soft bounce is published only.
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
def test_the_sync_makes_exactly_the_listed_calls_until_the_stream_is_empty(kind: str, soft: bool) -> None:  # noqa: FBT001 (a parameter)
    lanes = Lanes()
    lanes.process("Bounce", messages.batches(_some(messages.bounce, 100, soft=soft), 100))
    spent = lanes.sync()
    assert {**spent.calls, **spent.units, "invocations": spent.invocations} == SYNC[kind]


def test_calls_and_units_are_the_same_in_every_run() -> None:
    """The order in which threads finish does not matter."""
    first, second = (SCENARIOS["1000 hard bounces"]() for _ in range(2))
    assert (first.calls, first.units) == (second.calls, second.units)


def test_the_counting_table_has_the_indexes_of_the_template() -> None:
    indexes = stack().properties("ContactsTable")["GlobalSecondaryIndexes"]
    assert {
        index["IndexName"]: tuple(key["AttributeName"] for key in index["KeySchema"]) for index in indexes
    } == INDEXES
    assert {index["Projection"]["ProjectionType"] for index in indexes} == {"KEYS_ONLY"}


def test_the_batch_size_of_the_stream_is_that_of_the_template() -> None:
    assert stack().properties("SuppressionFunctionContactChanged")["BatchSize"] == STREAM_BATCH


def test_item_sizes_follow_the_rules_of_dynamodb() -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html."""
    item: dict[str, dict[str, Any]] = {
        "a": {"S": "é"},
        "n": {"N": "1234500"},
        "b": {"BOOL": True},
        "l": {"L": [{"S": "xy"}]},
        "m": {"M": {"k": {"S": "v"}}},
    }
    assert item_size(item) == (1 + 2) + (1 + 4) + (1 + 1) + (1 + 3 + 1 + 2) + (1 + 3 + 1 + 2)


def test_write_units_are_per_kilobyte_and_read_units_per_four_kilobytes() -> None:
    """A write is billed by the larger of the old and the new item."""
    assert [write_units(1), write_units(1024, 1), write_units(10, 1025), write_units()] == [1, 1, 2, 1]
    assert [read_units(0, consistent=False), read_units(4097, consistent=True)] == [0.5, 2.0]


def test_moving_an_index_entry_costs_a_deletion_and_a_write() -> None:
    table = Table()
    item = {"address": {"S": "a"}, "record": {"S": "contact"}, "unsendable": {"S": "x"}, "status_at": {"S": "1"}}
    table.put(item)
    table.put(item | {"status_at": {"S": "2"}})
    table.put(item | {"status_at": {"S": "2"}, "rev": {"N": "3"}})
    assert table.bill.units == {"table writes": 3, "index writes": 3}
