"""Everything the stack does, done once more, to see what of it works."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from tests.e2e.deployed_stack import World, eventually

LANES = ("Bounce", "Complaint", "Delivery")
FUNCTIONS = (*LANES, "Suppression")
MANY = 6
"""Contacts in a backlog; `impatient_backlog` makes the list_sync have more than three imported."""


def instant(at: datetime) -> str:
    """Return a time as SES writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def a_message(kind: str, address: str, at: datetime, **detail: str) -> str:
    """Return an event about an address."""
    time_of = instant(at)
    mail = {"timestamp": time_of, "messageId": f"m-{address}-{time_of}", "destination": [address]}
    if kind == "Delivery":
        return json.dumps(
            {"eventType": kind, "mail": mail, "delivery": {"timestamp": time_of, "recipients": [address]}}
        )
    bounced = [{"emailAddress": address, "action": "failed", "status": "5.1.1"}]
    bounce = {"timestamp": time_of, "feedbackId": f"f-{time_of}", "bouncedRecipients": bounced, **detail}
    return json.dumps({"eventType": kind, "mail": mail, "bounce": bounce})


class Drill:
    """Everything the roles are for, done once more; `missing` says what of it has not been seen yet."""

    def __init__(self, world: World, bus: str) -> None:
        self._world = world
        self._bus = bus
        self._began = int(time.time() * 1000)
        self._announced: set[str] = set()
        self._kept: list[str] = []
        self._addresses = {lane: world.address("drill") for lane in LANES}
        self.bounce()
        for lane, address in self._addresses.items():
            topic = world.outputs[f"{lane}TopicArn"]
            world.client("sns").publish(TopicArn=topic, Message=f'{{"poison": "{address}"')
        world.running.ask("schedules", method="POST")

    def bounce(self) -> None:
        """Have each lane hear of a hard bounce."""
        self._bounced = datetime.now(UTC)
        bounce = {"bounceType": "Permanent", "bounceSubType": "General"}
        for lane, address in self._addresses.items():
            message = a_message("Bounce", address, self._bounced, **bounce)
            self._world.client("sns").publish(TopicArn=self._world.outputs[f"{lane}TopicArn"], Message=message)

    def unheard(self) -> list[str]:
        """Return the lanes that have not stored the latest bounce."""
        contacts = {lane: self._world.contact(address) for lane, address in self._addresses.items()}
        return [lane for lane, contact in contacts.items() if contact.get("bounced_at") != instant(self._bounced)]

    def missing(self) -> list[str]:
        """Return what has not been seen yet."""
        world = self._world
        self._announced |= {event["detail"]["address"] for event in world.take(self._bus)}
        self._kept += _taken(world, "QuarantineQueueUrl")
        logs = {function: lines_of(world, function, self._began) for function in FUNCTIONS}
        seen = {"sweep": any('"message":"sweep"' in line for line in logs["Suppression"])}
        for lane, address in self._addresses.items():
            contact = world.contact(address)
            seen[f"{lane} contact"] = bool(contact)
            seen[f"{lane} history"] = bool(world.history(address))
            seen[f"{lane} poison"] = any(address in body for body in self._kept)
            seen[f"{lane} synced"] = "synced" in contact
            seen[f"{lane} published"] = address in self._announced
        seen |= {f"{function} log": bool(written) for function, written in logs.items()}
        return [what for what, done in seen.items() if not done]


def _taken(world: World, queue: str) -> Iterator[str]:
    sqs, url = world.client("sqs"), world.outputs[queue]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            yield message["Body"]
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


class BacklogDrill:
    """A backlog imported once more; `missing` says what of it has not been seen yet."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._began = int(time.time() * 1000)
        self._bucket = world.resources()["ImportBucket"]
        self._forget_earlier_imports()
        self.addresses = [world.address("drill") for _ in range(MANY)]
        bounce = {"bounceType": "Permanent", "bounceSubType": "General"}
        for address in self.addresses:
            message = a_message("Bounce", address, datetime.now(UTC), **bounce)
            world.client("sns").publish(TopicArn=world.outputs["BounceTopicArn"], Message=message)
        eventually(lambda: all(map(world.contact, self.addresses)))
        for address in self.addresses:
            world.an_hour_passes(address)

    def missing(self) -> list[str]:
        """Sweep once more, and return what has not been imported, and objects that were not removed."""
        world = self._world
        world.running.ask("schedules", method="POST")
        eventually(lambda: self._imported() >= MANY, seconds=3)
        waiting = [one for one in self.addresses if world.contact(one).get("synced") != "BOUNCE"]
        imported = [] if self._imported() >= MANY else ["imported"]
        return [*waiting, *imported, *self._objects()]

    def _imported(self) -> int:
        """Return how many contacts sweeps say they had imported."""
        lines = lines_of(self._world, "Suppression", self._began)
        return sum(json.loads(line)["imported"] for line in lines if '"message":"sweep"' in line)

    def _objects(self) -> list[str]:
        found = self._world.client("s3").list_objects_v2(Bucket=self._bucket)
        return [one["Key"] for one in found.get("Contents", [])]

    def _forget_earlier_imports(self) -> None:
        """The list_sync begins no import for an hour after one that failed."""
        for name in self._objects():
            self._world.client("s3").delete_object(Bucket=self._bucket, Key=name)
        ledger = {"address": {"S": "suppression-list"}, "record": {"S": "imports"}}
        self._world.client("dynamodb").delete_item(TableName=self._world.outputs["ContactsTableName"], Key=ledger)


def lines_of(world: World, function: str, since: int) -> list[str]:
    """Return the lines of a function's log since a time in milliseconds."""
    group = f"/aws/lambda/{world.name}/{function}Function"
    found = world.client("logs").filter_log_events(logGroupName=group, startTime=since)["events"]
    return [event["message"].strip() for event in found]


def backlog_left(world: World, seconds: float) -> list[str]:
    """Have sweeps alone work off a backlog, and return what of it is left after so long."""
    with without_the_stream(world):
        return eventually(BacklogDrill(world).missing, lambda left: not left, seconds)


@contextmanager
def without_the_stream(world: World) -> Iterator[None]:
    """Leave everything to the sweep for as long as the context lasts."""
    functions = world.client("lambda")
    name = world.outputs["SuppressionFunctionName"]
    (source,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=source["UUID"], Enabled=False)
    yield
    functions.update_event_source_mapping(UUID=source["UUID"], Enabled=True)
