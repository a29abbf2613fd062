"""An AWS inside this process, for replay and tests: moto, and the SES suppression list that moto lacks.

    with EmbeddedAws() as aws:
        bounce_handler(event, context)  # every botocore session made in here talks to this AWS
        mirror_handler({"Records": aws.stream_records()}, context)
        print(aws.contacts(), aws.suppression_list.entries(), aws.quarantined(), aws.events())

It holds what template.yaml deploys, as far as the functions call it: the table with its indexes and stream,
the quarantine queue, and an event bus with a queue that keeps what was published. It never reaches the
network, and leaving it restores the environment and botocore.

Four things of moto 5.2 to know:
- It takes no parameters in a PartiQL `INSERT`. So BatchExecuteStatement is carried out by `localaws.in_process.partiql`.
- botocore asks every `before-send` handler and takes the first answer, and moto's raises for an SES operation
  it does not know. So registering ours first is not enough: moto is told to pass those paths through.
- Reading a stream through its API costs a millisecond a record, and a queue time that grows with its length.
  So both are read where moto keeps them. Everything written goes through the API.
- It remembers every object it ever made, for a dashboard. So it is made to forget now and then.
"""

import json
import os
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, cast
from urllib.parse import urlsplit

import botocore.session
from botocore import handlers
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import create_loader
from moto import mock_aws
from moto.core.model_instances import reset_model_data
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.responses import DynamoHandler
from moto.sqs.models import sqs_backends

from localaws.in_process import partiql
from localaws.ses_list.suppression_list import AccountSuppressionList, SuppressionListApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from botocore.awsrequest import AWSPreparedRequest
    from moto.core.config import DefaultConfig
    from moto.dynamodb.models.table import StreamRecord, StreamShard, Table
    from moto.sqs.models import Queue

REGION = "us-east-1"
ACCOUNT = "123456789012"

TABLE: dict[str, Any] = {
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
"""The table as template.yaml declares it, in CreateTable's words."""

_QUARANTINE, _PUBLISHED, _BUS = "Quarantine", "Published", "default"

# No profile, endpoint or instance role of whoever runs this may matter in here.
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "embedded",
    "AWS_SECRET_ACCESS_KEY": "embedded",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

_MOTO: "DefaultConfig" = {
    "core": {
        # moto's own way of setting credentials deletes a variable that was set and empty.
        "mock_credentials": False,
        "reset_boto3_session": True,
        "service_whitelist": None,
        "passthrough": {
            "services": [],
            "urls": [
                r"https?://email\.[^/]+/v2/email/(suppression/addresses(/.*)?|import-jobs(/.*)?|account(/suppression)?)$"
            ],
        },
    }
}


# Reading the descriptions of the services is most of what starting takes, and they stay the same.
_LOADER = create_loader()


class Clock(Protocol):
    """What time it is, and how to wait."""

    def now(self) -> datetime:
        """Return the time, aware."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class VirtualClock:
    """A clock that only sleeping moves on, and on which sleeping takes no time."""

    def __init__(self, start: datetime | None = None) -> None:
        """Start at this (aware) time, or now."""
        self._now = start or datetime.now(UTC)

    def now(self) -> datetime:
        """Return the time, aware."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let the clock go on by so many seconds, at once."""
        self._now += timedelta(seconds=seconds)


class QuarantinedMessage(NamedTuple):
    """A message on the quarantine queue."""

    body: str
    attributes: dict[str, str]


class EmbeddedAws:
    """An AWS account of its own, in the sandbox or not, for as long as the context lasts.

    Clients of `session`, and of any other botocore session made inside the context, talk to it. They are dead
    afterwards. There can be only one at a time, because moto's state is the process's.
    """

    session: botocore.session.Session
    quarantine_url: str
    _running: ClassVar[bool] = False

    def __init__(
        self, clock: Clock | None = None, *, calls_per_second: float | None = 1.0, sandbox: bool = False
    ) -> None:
        """Prepare it; `calls_per_second` is how many SES allows on the suppression list, by this clock."""
        self.clock = VirtualClock() if clock is None else clock
        self.suppression_list = AccountSuppressionList(
            self.clock.now, calls_per_second=calls_per_second, sandbox=sandbox, read_object=self._read_object
        )
        self.table_name: str = TABLE["TableName"]
        self.event_bus_name = _BUS
        self._open = False
        self._ses = SuppressionListApi(self.suppression_list)
        self._clients: dict[str, Any] = {}
        self._contacts: dict[str, dict[str, Any]] = {}
        self._changes: list[dict[str, Any]] = []
        self._exit = ExitStack()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that tell the functions where things are."""
        return {
            "TABLE_NAME": self.table_name,
            "QUARANTINE_QUEUE_URL": self.quarantine_url,
            "EVENT_BUS_NAME": self.event_bus_name,
        }

    def __enter__(self) -> Self:
        if EmbeddedAws._running:
            raise RuntimeError("An EmbeddedAws is already running in this process: leave it first.")
        with ExitStack() as undo:
            undo.enter_context(_environment())
            undo.enter_context(mock_aws(config=_MOTO))
            undo.enter_context(self._handling_requests())
            undo.enter_context(self._executing_statements())
            self.session = botocore.session.Session()
            self.session.register_component("data_loader", _LOADER)
            self._create_resources()
            self._exit = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self._exit.close()

    def client(self, service: str) -> Any:  # noqa: ANN401 - botocore makes the class at run time.
        """Return the client of a service; it makes one attempt, so that every refusal is seen."""
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1})
            self._clients[service] = self.session.create_client(service, REGION, config=config)
        return self._clients[service]

    def contacts(self) -> list[dict[str, Any]]:
        """Return the contact items by address, as DynamoDB's typed JSON."""
        self._read_stream()
        return [self._contacts[address] for address in sorted(self._contacts)]

    def stream_records(self) -> list[dict[str, Any]]:
        """Return what the table's stream brings SuppressionFunction since the last call: its event's Records.

        That is what passes the template's filter: changes that leave `pending_shard` on an item.
        """
        self._read_stream()
        changes, self._changes = self._changes, []
        return changes

    def quarantined(self) -> list[QuarantinedMessage]:
        """Return what is on the quarantine queue, without taking it off."""
        return [
            QuarantinedMessage(
                message.body,
                {name: value.get("StringValue", "") for name, value in message.message_attributes.items()},
            )
            for message in _queue(_QUARANTINE).messages
        ]

    def events(self) -> list[dict[str, Any]]:
        """Return every event published so far, as EventBridge gives it to a target."""
        return [json.loads(message.body) for message in _queue(_PUBLISHED).messages]

    @contextmanager
    def _handling_requests(self) -> "Iterator[None]":
        """Answer for SES, and keep sessions made from now on off the network, even afterwards."""
        ours = [
            ("before-send.sesv2", self._answer_for_ses, handlers.REGISTER_FIRST),
            ("before-send", _refuse, handlers.REGISTER_LAST),
        ]
        handlers.BUILTIN_HANDLERS.extend(ours)
        EmbeddedAws._running = self._open = True
        try:
            yield
        finally:
            EmbeddedAws._running = self._open = False
            for handler in ours:
                handlers.BUILTIN_HANDLERS.remove(handler)

    @contextmanager
    def _executing_statements(self) -> "Iterator[None]":
        def batch_execute_statement(handler: DynamoHandler) -> str:
            return json.dumps(partiql.execute(self.client("dynamodb"), handler.body["Statements"]))

        motos = DynamoHandler.batch_execute_statement
        DynamoHandler.batch_execute_statement = batch_execute_statement  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            DynamoHandler.batch_execute_statement = motos  # type: ignore[method-assign]

    def _answer_for_ses(self, request: "AWSPreparedRequest", **_: object) -> AWSResponse | None:
        if not self._open:
            return None
        url = urlsplit(request.url)
        body = request.body if isinstance(request.body, bytes) else b""
        response = self._ses.respond(request.method or "", url.path, url.query, body)
        if response is None:
            return None
        headers = HTTPHeaders.from_dict(response.headers)
        return AWSResponse(request.url, response.status, headers, _Body(response.body))

    def _read_object(self, url: str) -> bytes:
        """Read an object that SES imports from; whoever tests imports makes the bucket."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        try:
            body: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise FileNotFoundError from error
        return body

    def _create_resources(self) -> None:
        self.client("dynamodb").create_table(**TABLE)
        sqs, events = self.client("sqs"), self.client("events")
        self.quarantine_url = sqs.create_queue(QueueName=_QUARANTINE)["QueueUrl"]
        sqs.create_queue(QueueName=_PUBLISHED)
        pattern = json.dumps({"account": [ACCOUNT]})
        events.put_rule(Name=_PUBLISHED, EventPattern=pattern, EventBusName=_BUS)
        target = {"Id": _PUBLISHED, "Arn": _queue(_PUBLISHED).queue_arn}
        events.put_targets(Rule=_PUBLISHED, Targets=[target], EventBusName=_BUS)

    def _read_stream(self) -> None:
        """Take in what was written since: both what the list_sync will be given and what the contacts are."""
        for change in _trim_stream(_table()):
            record = self._as_lambda_gets_it(change)
            image, keys = record["dynamodb"].get("NewImage"), record["dynamodb"]["Keys"]
            if keys["record"]["S"] == "contact":
                self._contacts.pop(keys["address"]["S"], None)
                if image is not None:
                    self._contacts[keys["address"]["S"]] = image
            # DynamoDB keeps a write that changes nothing off the stream. moto does not.
            if "S" in (image or {}).get("pending_shard", {}) and image != record["dynamodb"].get("OldImage"):
                self._changes.append(record)
        reset_model_data()

    def _as_lambda_gets_it(self, change: "StreamRecord") -> dict[str, Any]:
        """Date a record by our clock, in seconds as Lambda has it, and number it the same on every run."""
        record = change.to_json()
        change_itself = record["dynamodb"]
        return {
            **record,
            "eventID": f"{int(change_itself['SequenceNumber']):032x}",
            "eventSourceARN": f"{_table().table_arn}/stream/{_table().latest_stream_label}",
            "dynamodb": {
                **change_itself,
                "ApproximateCreationDateTime": float(int(self.clock.now().timestamp())),
            },
        }


class _Body(BytesIO):
    """A response's body as botocore reads one off the wire."""

    def stream(self) -> "Iterator[bytes]":
        yield self.read()


def _refuse(request: "AWSPreparedRequest", **_: object) -> AWSResponse:
    """Answer what nobody else answered. It cannot raise: botocore asks even when there is an answer."""
    message = "This client belongs to an embedded AWS, which does not know this call or has ended."
    # Protocols differ in where they look for the code.
    body = json.dumps({"__type": "NotEmbedded", "message": message}).encode()
    headers = HTTPHeaders.from_dict({"x-amzn-ErrorType": "NotEmbedded"})
    return AWSResponse(request.url, 400, headers, _Body(body))


@contextmanager
def _environment() -> "Iterator[None]":
    foreign = {
        name: value
        for name, value in os.environ.items()
        if name == "TEST_SERVER_MODE" or (name.startswith("AWS_") and not name.startswith("AWS_LAMBDA_"))
    }
    for name in foreign:
        del os.environ[name]
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name in _ENVIRONMENT:
            os.environ.pop(name, None)
        os.environ.update(foreign)


def _table() -> "Table":
    return dynamodb_backends[ACCOUNT][REGION].get_table(TABLE["TableName"])


def _queue(name: str) -> "Queue":
    return sqs_backends[ACCOUNT][REGION].get_queue(name)


def _trim_stream(table: "Table") -> "list[StreamRecord]":
    """Take the records off the stream. It goes on numbering from there, so reading all of it stays linear."""
    shard = cast("StreamShard", table.stream_shard)
    records, shard.items = shard.items, []
    shard.starting_sequence_number += len(records)
    return records
