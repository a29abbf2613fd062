"""The main path through the deployed stack, in a minute. `make test` runs this file only."""

import json
from collections.abc import Iterable
from functools import partial
from http.client import HTTPConnection
from typing import Any

import pytest
from click.testing import CliRunner

from campaigns.simulation.differential import compare
from feedbackctl.__main__ import main
from localaws.in_process.contacts_table import CREATE_TABLE
from tests.e2e.stack_under_test import StackUnderTest, wait_for
from tests.support.hostile_requests import HOSTILE_REQUESTS, KNOWN_KEY, HostileRequest

TRACES = 100
"""Random traces that are compared between the emulator's DynamoDB and the simulation's."""


def create_bounce(address: str) -> str:
    """Return a hard bounce of an address."""
    return json.dumps(
        {
            "eventType": "Bounce",
            "mail": {"timestamp": "2026-03-01T12:00:00.000Z", "messageId": "m-1", "destination": [address]},
            "bounce": {
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [{"emailAddress": address}],
                "timestamp": "2026-03-01T12:00:01.000Z",
                "feedbackId": "f-1",
            },
        }
    )


def test_sent_emails_become_contacts_and_list_entries(stack: StackUnderTest) -> None:
    """The path is SES, SNS, SQS, Lambda, the table, its stream and the suppression list."""
    expected = {
        stack.create_address("bounce"): ("bounced", False, "BOUNCE"),
        stack.create_address("complaint"): ("complained", False, "COMPLAINT"),
        stack.create_address("success"): ("active", True, None),
    }
    for address in expected:
        stack.send_email(address)
    assert wait_for(partial(_read_contacts, stack, expected), lambda found: found == expected, 120) == expected
    # The stack has replaced the entries that SES itself added.
    listed = {address: (entry["reason"], entry["by_ses"]) for address, entry in stack.listed().items()}
    assert {address: listed[address] for address, (_, _, reason) in expected.items() if reason} == {
        address: (reason, False) for address, (_, _, reason) in expected.items() if reason
    }


def _read_contacts(stack: StackUnderTest, addresses: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """Return status, may_send and the reason on the list for each address."""
    contacts = {address: stack.contact(address) for address in addresses}
    return {address: tuple(map(contact.get, ("status", "may_send", "synced"))) for address, contact in contacts.items()}


def test_malformed_message_is_quarantined_and_processed_after_a_fix(stack: StackUnderTest) -> None:
    address = stack.create_address("bounce")
    fixed = create_bounce(address)
    malformed = fixed[:-3]
    stack.client("sns").publish(TopicArn=stack.outputs["BounceTopicArn"], Message=malformed)
    quarantined = wait_for(partial(_receive_quarantined, stack))
    assert [message["Body"] for message in quarantined] == [malformed]
    assert quarantined[0]["MessageAttributes"]["reason"]["StringValue"] == "not-json"
    assert stack.contact(address) == {}

    # The procedure in docs/operate/runbook.md.
    sqs = stack.client("sqs")
    sqs.send_message(QueueUrl=stack.outputs["BounceQueueUrl"], MessageBody=fixed)
    handle = quarantined[0]["ReceiptHandle"]
    sqs.delete_message(QueueUrl=stack.outputs["QuarantineQueueUrl"], ReceiptHandle=handle)
    assert wait_for(partial(stack.contact, address)).get("status") == "bounced"
    assert stack.drain_lanes() == {}


def test_redrive_command_moves_quarantined_messages_to_a_lane(stack: StackUnderTest, runner: CliRunner) -> None:
    address = stack.create_address("bounce")
    quarantine, lane = stack.outputs["QuarantineQueueUrl"], stack.outputs["DeliveryQueueUrl"]
    stack.client("sqs").send_message(QueueUrl=quarantine, MessageBody=create_bounce(address))
    result = runner.invoke(main, ["redrive", "--from", quarantine, "--to", lane, "--yes"])
    assert (result.exit_code, result.stdout) == (0, "Moved 1, left 0 that SQS cannot carry in their original form.\n")
    assert wait_for(partial(stack.contact, address)).get("status") == "bounced"
    assert stack.drain_lanes() == {}


def _receive_quarantined(stack: StackUnderTest) -> list[dict[str, Any]]:
    response = stack.client("sqs").receive_message(
        QueueUrl=stack.outputs["QuarantineQueueUrl"], MessageAttributeNames=["All"]
    )
    return list(response.get("Messages", []))


def test_emulated_dynamodb_behaves_as_the_simulated_table(stack: StackUnderTest) -> None:
    """Random requests of the kinds that the code makes. `make traces` compares five thousand."""
    table = "Traces"
    stack.client("dynamodb").create_table(**{**CREATE_TABLE, "TableName": table})
    tables = [compare(stack.client("dynamodb"), table, seed) for seed in range(TRACES)]
    assert sum(len(final.items) for final in tables) > TRACES


@pytest.mark.parametrize("request_", HOSTILE_REQUESTS)
def test_local_aws_refuses_a_hostile_request(stack: StackUnderTest, request_: HostileRequest) -> None:
    """The request is that of a browser or of another process. `test_browser.py` uses a real browser."""
    connection = HTTPConnection("127.0.0.1", stack.server.port, timeout=10)
    headers = {name: value.replace(KNOWN_KEY, stack.server.access_key) for name, value in request_.headers}
    if request_.host:
        headers["Host"] = f"{request_.host}:{stack.server.port}"
    connection.request(request_.method, request_.path, request_.body, headers)
    response = connection.getresponse()
    allowed = [name for name in response.headers if name.lower().startswith("access-control-")]
    assert (response.status, allowed) == (403, [])
    connection.close()
