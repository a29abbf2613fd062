"""The definition of the Contacts table and its stream, in moto."""

from typing import TYPE_CHECKING, Any, cast

from moto.dynamodb.models import dynamodb_backends

if TYPE_CHECKING:
    from datetime import datetime

    from moto.dynamodb.models.table import StreamRecord, StreamShard, Table

CREATE_TABLE: dict[str, Any] = {
    "TableName": "Contacts",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"}
        for name in (
            "address",
            "record",
            "unsendable",
            "status_at",
            "pending_shard",
            "pending_at",
            "release_shard",
            "release_at",
        )
    ],
    "KeySchema": [
        {"AttributeName": "address", "KeyType": "HASH"},
        {"AttributeName": "record", "KeyType": "RANGE"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": index,
            "KeySchema": [
                {"AttributeName": partition, "KeyType": "HASH"},
                {"AttributeName": sort, "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        for index, partition, sort in (
            ("Unsendable", "unsendable", "status_at"),
            ("PendingSync", "pending_shard", "pending_at"),
            ("SuspensionEnd", "release_shard", "release_at"),
        )
    ],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
}
"""The CreateTable request for the table that template.yaml declares."""


class TableStream:
    """The stream of the Contacts table in moto, read from moto's memory.

    The stream's API takes a millisecond per record, which is too slow for a replay.
    """

    def __init__(self, account: str, region: str) -> None:
        """Read the table of this account and Region."""
        self._account = account
        self._region = region

    def take(self, now: "datetime") -> list[dict[str, Any]]:
        """Return the records since the last call, as Lambda receives them. `now` is their time."""
        return [self._as_lambda_record(record, now) for record in _trim(self._table())]

    def _table(self) -> "Table":
        return dynamodb_backends[self._account][self._region].get_table(CREATE_TABLE["TableName"])

    def _as_lambda_record(self, stream_record: "StreamRecord", now: "datetime") -> dict[str, Any]:
        """Return a record with its time in seconds and an event id that is the same on every run.

        https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
        """
        record = stream_record.to_json()
        change = record["dynamodb"]
        table = self._table()
        return {
            **record,
            "eventID": f"{int(change['SequenceNumber']):032x}",
            "eventSourceARN": f"{table.table_arn}/stream/{table.latest_stream_label}",
            "dynamodb": {**change, "ApproximateCreationDateTime": float(int(now.timestamp()))},
        }


def _trim(table: "Table") -> "list[StreamRecord]":
    """Return the records of the stream and remove them.

    The sequence numbers continue from there. So reading a whole stream takes linear time.
    """
    shard = cast("StreamShard", table.stream_shard)
    records, shard.items = shard.items, []
    shard.starting_sequence_number += len(records)
    return records
