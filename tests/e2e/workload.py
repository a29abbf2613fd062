"""A workload that uses every permission of the stack's roles, and reports which of its results are missing."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from ses_feedback.timestamps import format_timestamp
from tests.e2e.stack_under_test import LANES, StackUnderTest, wait_for

FUNCTIONS = (*LANES, "Suppression")
BACKLOG_CONTACTS = 6
"""Contacts in a backlog. The `early_import_stack` imports if more than three are pending."""
HARD_BOUNCE = {"bounceType": "Permanent", "bounceSubType": "General"}


def create_bounce(address: str, at: datetime, **detail: str) -> str:
    """Return a bounce event about an address."""
    time_text = format_timestamp(at)
    bounced = [{"emailAddress": address, "action": "failed", "status": "5.1.1"}]
    bounce = {"timestamp": time_text, "feedbackId": f"f-{time_text}", "bouncedRecipients": bounced, **detail}
    return json.dumps({"eventType": "Bounce", "mail": _create_mail(address, time_text), "bounce": bounce})


def _create_mail(address: str, time_text: str) -> dict[str, object]:
    message_id = re.sub("[^A-Za-z0-9]+", "-", f"m-{address}-{time_text}")
    return {"timestamp": time_text, "messageId": message_id, "destination": [address]}


class LaneWorkload:
    """A hard bounce and a malformed message in each lane, and a sweep. `bus` is a queue with the stack's events."""

    def __init__(self, stack: StackUnderTest, bus: str) -> None:
        """Publish the messages and start the sweep."""
        self._stack = stack
        self._bus = bus
        self._started_at = int(time.time() * 1000)
        self._published: set[str] = set()
        self._quarantined: list[str] = []
        self._addresses = {lane: stack.create_address("workload") for lane in LANES}
        self.publish_bounces()
        for lane, address in self._addresses.items():
            topic = stack.outputs[f"{lane}TopicArn"]
            stack.client("sns").publish(TopicArn=topic, Message=f'{{"malformed": "{address}"')
        stack.run_sweep()

    def publish_bounces(self) -> None:
        """Publish a hard bounce to each lane."""
        self._bounced_at = datetime.now(UTC)
        for lane, address in self._addresses.items():
            message = create_bounce(address, self._bounced_at, **HARD_BOUNCE)
            self._stack.client("sns").publish(TopicArn=self._stack.outputs[f"{lane}TopicArn"], Message=message)

    def lanes_without_bounce(self) -> list[str]:
        """Return the lanes that have not stored the latest bounce."""
        contacts = {lane: self._stack.contact(address) for lane, address in self._addresses.items()}
        bounced_at = format_timestamp(self._bounced_at)
        return [lane for lane, contact in contacts.items() if contact.get("bounced_at") != bounced_at]

    def missing_results(self) -> list[str]:
        """Return the names of the results that were not observed so far."""
        stack = self._stack
        self._published |= {event["detail"]["address"] for event in stack.take_events(self._bus)}
        self._quarantined += stack.take_messages(stack.outputs["QuarantineQueueUrl"])
        logs = {function: stack.log_lines(function, self._started_at) for function in FUNCTIONS}
        observed = {"sweep": any('"message":"sweep"' in line for line in logs["Suppression"])}
        for lane, address in self._addresses.items():
            contact = stack.contact(address)
            observed[f"{lane} contact"] = bool(contact)
            observed[f"{lane} history"] = bool(stack.history(address))
            observed[f"{lane} quarantine"] = any(address in body for body in self._quarantined)
            observed[f"{lane} list entry"] = "synced" in contact
            observed[f"{lane} event"] = address in self._published
        samples = stack.metric("SesFeedback", "AccountRestricted", "SampleCount", self._started_at, Stack=stack.name)
        observed["state of the account"] = bool(samples)
        observed |= {f"{function} log": bool(lines) for function, lines in logs.items()}
        return [name for name, is_observed in observed.items() if not is_observed]


class BacklogWorkload:
    """A backlog of pending contacts, which sweeps import into the suppression list."""

    def __init__(self, stack: StackUnderTest) -> None:
        """Create the backlog."""
        self._stack = stack
        self._started_at = int(time.time() * 1000)
        self._bucket = stack.resources()["ImportBucket"]
        self._delete_earlier_imports()
        self.addresses = [stack.create_address("workload") for _ in range(BACKLOG_CONTACTS)]
        for address in self.addresses:
            message = create_bounce(address, datetime.now(UTC), **HARD_BOUNCE)
            stack.client("sns").publish(TopicArn=stack.outputs["BounceTopicArn"], Message=message)
        wait_for(lambda: all(map(stack.contact, self.addresses)))
        for address in self.addresses:
            stack.age_by_an_hour(address)

    def missing_results(self) -> list[str]:
        """Run a sweep. Return the contacts that are not imported, and the objects that were not deleted."""
        stack = self._stack
        stack.run_sweep()
        wait_for(lambda: self._count_imported() >= BACKLOG_CONTACTS, seconds=3)
        pending = [address for address in self.addresses if stack.contact(address).get("synced") != "BOUNCE"]
        not_logged = [] if self._count_imported() >= BACKLOG_CONTACTS else ["imported"]
        return [*pending, *not_logged, *self._stack.list_objects(self._bucket)]

    def _count_imported(self) -> int:
        """Return the number of imported contacts in the logs of sweeps."""
        lines = self._stack.log_lines("Suppression", self._started_at)
        return sum(json.loads(line)["imported"] for line in lines if '"message":"sweep"' in line)

    def _delete_earlier_imports(self) -> None:
        """Delete objects and ledger, because a failed import job blocks new ones for an hour."""
        for key in self._stack.list_objects(self._bucket):
            self._stack.client("s3").delete_object(Bucket=self._bucket, Key=key)
        ledger = {"address": {"S": "suppression-list"}, "record": {"S": "imports"}}
        self._stack.client("dynamodb").delete_item(TableName=self._stack.outputs["ContactsTableName"], Key=ledger)


def import_backlog(stack: StackUnderTest, seconds: float) -> list[str]:
    """Let sweeps alone import a backlog. Return the results that are missing after so many seconds."""
    with disabled_stream(stack):
        return wait_for(BacklogWorkload(stack).missing_results, lambda missing: not missing, seconds)


@contextmanager
def disabled_stream(stack: StackUnderTest) -> Iterator[None]:
    """Disable the stream's event source mapping, so that only sweeps update the suppression list."""
    with disabled_mapping(stack, "Suppression"):
        yield


@contextmanager
def disabled_mapping(stack: StackUnderTest, function: str) -> Iterator[None]:
    """Disable the event source mapping of a function."""
    functions = stack.client("lambda")
    name = stack.outputs[f"{function}FunctionName"]
    (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    yield
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
