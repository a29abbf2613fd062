"""An AWS account inside this process: moto, plus the SES suppression list that moto lacks.

    with EmbeddedAws() as aws:
        bounce_handler(event, context)  # every botocore session created here uses this AWS
        suppression_handler({"Records": aws.stream_records()}, context)
        print(aws.contacts(), aws.suppression_list.entries(), aws.quarantined(), aws.events())

It has the resources of template.yaml that the functions call: the table with its indexes and stream, the quarantine
queue, and an event bus with a queue that stores the published events. It never uses the network. When the context
ends, the environment and botocore are restored.

moto stores every object that it ever created, for a dashboard. So these objects are deleted regularly.
"""

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import create_loader
from moto import mock_aws
from moto.core.model_instances import reset_model_data
from moto.sqs.models import sqs_backends

from localaws.in_process.contacts_table import CREATE_TABLE, TableStream
from localaws.in_process.request_hooks import (
    MOTO_CONFIG,
    REGION,
    executed_statements,
    intercepted_requests,
    isolated_environment,
)
from localaws.in_process.virtual_clock import Clock, VirtualClock
from localaws.suppression_list.account_list import AccountSuppressionList
from localaws.suppression_list.rest_api import SuppressionListApi

if TYPE_CHECKING:
    from types import TracebackType

    from moto.sqs.models import Queue

ACCOUNT = "123456789012"

_QUARANTINE, _PUBLISHED, _BUS = "Quarantine", "Published", "default"

# Reading the service descriptions takes most of the start-up time, and they do not change.
_LOADER = create_loader()


class QuarantinedMessage(NamedTuple):
    """A message in the quarantine queue."""

    body: str
    attributes: dict[str, str]


class EmbeddedAws:
    """An AWS account, in the SES sandbox or not, that exists until the context ends.

    Clients of `session`, and of every other botocore session created inside the context, use it. They fail after the
    context. Only one can exist at a time, because moto's state is global to the process.
    """

    session: botocore.session.Session
    quarantine_url: str
    _running: ClassVar[bool] = False

    def __init__(
        self, clock: Clock | None = None, *, calls_per_second: float | None = 1.0, sandbox: bool = False
    ) -> None:
        """Prepare the account. `calls_per_second` is the quota of the suppression list, by `clock`."""
        self.clock = VirtualClock() if clock is None else clock
        self.suppression_list = AccountSuppressionList(
            self.clock.now, calls_per_second=calls_per_second, sandbox=sandbox, read_object=self._read_object
        )
        self.table_name: str = CREATE_TABLE["TableName"]
        self.event_bus_name = _BUS
        self._stream = TableStream(ACCOUNT, REGION)
        self._clients: dict[str, Any] = {}
        self._contacts: dict[str, dict[str, Any]] = {}
        self._changes: list[dict[str, Any]] = []
        self._exit = ExitStack()

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which the functions find these resources."""
        return {
            "TABLE_NAME": self.table_name,
            "QUARANTINE_QUEUE_URL": self.quarantine_url,
            "EVENT_BUS_NAME": self.event_bus_name,
        }

    def __enter__(self) -> Self:
        if EmbeddedAws._running:
            raise RuntimeError("An EmbeddedAws is already running in this process: leave it first.")
        with ExitStack() as undo:
            undo.enter_context(isolated_environment())
            undo.enter_context(mock_aws(config=MOTO_CONFIG))
            undo.enter_context(intercepted_requests(SuppressionListApi(self.suppression_list)))
            EmbeddedAws._running = True
            undo.callback(self._stop)
            undo.enter_context(executed_statements(lambda: self.client("dynamodb")))
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

    def client(self, service: str) -> Any:  # noqa: ANN401 - botocore creates the class at run time.
        """Return the client of a service. It makes one attempt, so that every refusal is visible."""
        if service not in self._clients:
            config = Config(retries={"total_max_attempts": 1})
            self._clients[service] = self.session.create_client(service, REGION, config=config)
        return self._clients[service]

    def contacts(self) -> list[dict[str, Any]]:
        """Return the contact items, sorted by address, in DynamoDB's typed JSON."""
        self._read_stream()
        return [self._contacts[address] for address in sorted(self._contacts)]

    def stream_records(self) -> list[dict[str, Any]]:
        """Return the records that the table's stream has delivered to SuppressionFunction since the last call.

        These are the changes that pass the filter in the template: an item with `pending_shard` after the change.
        """
        self._read_stream()
        changes, self._changes = self._changes, []
        return changes

    def quarantined(self) -> list[QuarantinedMessage]:
        """Return the messages in the quarantine queue, without receiving them."""
        return [
            QuarantinedMessage(
                message.body,
                {name: value.get("StringValue", "") for name, value in message.message_attributes.items()},
            )
            for message in _queue(_QUARANTINE).messages
        ]

    def events(self) -> list[dict[str, Any]]:
        """Return every event published so far, as a target of EventBridge receives it."""
        return [json.loads(message.body) for message in _queue(_PUBLISHED).messages]

    def _stop(self) -> None:
        EmbeddedAws._running = False

    def _read_object(self, url: str) -> bytes:
        """Return an object that SES imports from. The test creates the bucket."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        try:
            body: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise FileNotFoundError from error
        return body

    def _create_resources(self) -> None:
        self.client("dynamodb").create_table(**CREATE_TABLE)
        sqs, events = self.client("sqs"), self.client("events")
        self.quarantine_url = sqs.create_queue(QueueName=_QUARANTINE)["QueueUrl"]
        sqs.create_queue(QueueName=_PUBLISHED)
        pattern = json.dumps({"account": [ACCOUNT]})
        events.put_rule(Name=_PUBLISHED, EventPattern=pattern, EventBusName=_BUS)
        target = {"Id": _PUBLISHED, "Arn": _queue(_PUBLISHED).queue_arn}
        events.put_targets(Rule=_PUBLISHED, Targets=[target], EventBusName=_BUS)

    def _read_stream(self) -> None:
        """Update the contacts and the changes for SuppressionFunction from the stream."""
        for record in self._stream.take(self.clock.now()):
            image, keys = record["dynamodb"].get("NewImage"), record["dynamodb"]["Keys"]
            if keys["record"]["S"] == "contact":
                self._contacts.pop(keys["address"]["S"], None)
                if image is not None:
                    self._contacts[keys["address"]["S"]] = image
            # DynamoDB writes no stream record if the item does not change; moto does:
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
            if "S" in (image or {}).get("pending_shard", {}) and image != record["dynamodb"].get("OldImage"):
                self._changes.append(record)
        reset_model_data()


def _queue(name: str) -> "Queue":
    return sqs_backends[ACCOUNT][REGION].get_queue(name)
