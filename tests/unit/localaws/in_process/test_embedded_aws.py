"""The embedded AWS is one that the functions cannot tell from AWS, and nobody notices afterwards."""

import json
import os
import re
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
import yaml
from botocore import handlers
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.in_process.embedded_aws import TABLE, EmbeddedAws, QuarantinedMessage, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEMPLATE = Path(__file__).parents[4] / "template.yaml"


@pytest.fixture
def aws() -> "Iterator[EmbeddedAws]":
    """An embedded AWS at noon."""
    with EmbeddedAws(VirtualClock(NOON)) as aws:
        yield aws


def write(aws: EmbeddedAws, address: str, record: str = "contact", **attributes: str) -> None:
    """Put an item with string attributes into the table."""
    item = {name: {"S": value} for name, value in {"address": address, "record": record, **attributes}.items()}
    aws.client("dynamodb").put_item(TableName=aws.table_name, Item=item)


def delete(aws: EmbeddedAws, address: str) -> None:
    """Delete a contact item."""
    key = {"address": {"S": address}, "record": {"S": "contact"}}
    aws.client("dynamodb").delete_item(TableName=aws.table_name, Key=key)


def query(aws: EmbeddedAws, index: str, partition: str, value: str) -> list[dict[str, Any]]:
    """Return what one partition of an index holds."""
    page: dict[str, Any] = aws.client("dynamodb").query(
        TableName=aws.table_name,
        IndexName=index,
        KeyConditionExpression="#partition = :value",
        ExpressionAttributeNames={"#partition": partition},
        ExpressionAttributeValues={":value": {"S": value}},
    )
    items: list[dict[str, Any]] = page["Items"]
    return items


# The clock


def test_sleeping_moves_the_virtual_clock_and_nothing_else() -> None:
    """A day passes at once."""
    clock = VirtualClock(NOON)
    clock.sleep(86_400)
    assert clock.now() == NOON + timedelta(days=1)


def test_a_virtual_clock_starts_now() -> None:
    """Unless told otherwise it starts at the time it is."""
    assert abs(VirtualClock().now() - datetime.now(UTC)) < timedelta(minutes=1)


# The table and its stream


def test_the_table_is_the_templates() -> None:
    """Keys, indexes and stream are as template.yaml declares them."""
    properties = _table_in_template()
    shown = {name: properties[name] for name in TABLE if name not in ("TableName", "AttributeDefinitions")}
    expected = {name: TABLE[name] for name in shown}
    # CloudFormation has no StreamEnabled: naming a view type is enabling it.
    expected["StreamSpecification"] = {"StreamViewType": TABLE["StreamSpecification"]["StreamViewType"]}

    def types(definitions: list[dict[str, str]]) -> dict[str, str]:
        return {definition["AttributeName"]: definition["AttributeType"] for definition in definitions}

    assert expected == shown
    assert types(TABLE["AttributeDefinitions"]) == types(properties["AttributeDefinitions"])


def test_the_filter_of_the_stream_is_the_templates() -> None:
    """The one filter on a stream in template.yaml is the one `stream_records` applies."""
    patterns = re.findall("Pattern: '(.*NewImage.*)'", TEMPLATE.read_text())
    expected = {"dynamodb": {"NewImage": {"pending_shard": {"S": [{"exists": True}]}}}}
    assert [json.loads(pattern) for pattern in patterns] == [expected]


def test_indexes_are_sparse_and_hold_keys(aws: EmbeddedAws) -> None:
    """An index has the items that have its keys, and of them the keys."""
    write(aws, "a@example.com", unsendable="bounced#00", status_at="2026-01-01", reason="NoEmail")
    write(aws, "b@example.com", pending_shard="07", pending_at="2026-01-02", reason="NoEmail")
    write(aws, "c@example.com", reason="NoEmail")
    assert query(aws, "Unsendable", "unsendable", "bounced#00") == [
        {
            "address": {"S": "a@example.com"},
            "record": {"S": "contact"},
            "unsendable": {"S": "bounced#00"},
            "status_at": {"S": "2026-01-01"},
        }
    ]
    assert query(aws, "PendingSync", "pending_shard", "07") == [
        {
            "address": {"S": "b@example.com"},
            "record": {"S": "contact"},
            "pending_shard": {"S": "07"},
            "pending_at": {"S": "2026-01-02"},
        }
    ]


def test_contacts_are_the_contact_items_as_they_are_now(aws: EmbeddedAws) -> None:
    """History and rate_limiter are no contacts, an overwritten contact is its last self, a deleted one is none."""
    write(aws, "b@example.com", status="bouncing")
    write(aws, "a@example.com", status="active")
    write(aws, "c@example.com", status="active")
    write(aws, "a@example.com", "feedback#2026-01-01#x")
    write(aws, "suppression-list", "rate_limiter")
    before = len(aws.contacts())
    write(aws, "b@example.com", status="bounced")
    delete(aws, "c@example.com")
    found = [(item["address"]["S"], item["status"]["S"]) for item in aws.contacts()]
    assert (before, found) == (3, [("a@example.com", "active"), ("b@example.com", "bounced")])


def test_the_stream_brings_what_lambda_would_get(aws: EmbeddedAws) -> None:
    """A record has the keys, both images, the time by the embedded clock, and its place in the stream."""
    write(aws, "a@example.com", pending_shard="00")
    write(aws, "a@example.com", pending_shard="00", reason="NoEmail")
    inserted, modified = aws.stream_records()
    number = int(inserted["dynamodb"]["SequenceNumber"])
    old = {"address": {"S": "a@example.com"}, "record": {"S": "contact"}, "pending_shard": {"S": "00"}}
    assert (inserted["eventName"], "OldImage" in inserted["dynamodb"]) == ("INSERT", False)
    assert modified["dynamodb"].pop("SizeBytes") > 0
    assert modified == {
        "eventID": f"{number + 1:032x}",
        "eventName": "MODIFY",
        "eventSource": "aws:dynamodb",
        "eventSourceARN": modified["eventSourceARN"],
        "eventVersion": "1.0",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": NOON.timestamp(),
            "Keys": {"address": {"S": "a@example.com"}, "record": {"S": "contact"}},
            "NewImage": {**old, "reason": {"S": "NoEmail"}},
            "OldImage": old,
            "SequenceNumber": str(number + 1),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }
    assert json.loads(json.dumps(modified)) == modified


def test_the_stream_is_filtered_as_in_the_template(aws: EmbeddedAws) -> None:
    """Only changes that leave the list_sync due reach the function, and only if they change something."""
    write(aws, "a@example.com")
    write(aws, "b@example.com", pending_shard="00")
    write(aws, "b@example.com", pending_shard="00")
    write(aws, "c@example.com", pending_shard="00")
    write(aws, "c@example.com")
    delete(aws, "b@example.com")
    write(aws, "suppression-list", "rate_limiter")
    found = [(record["eventName"], record["dynamodb"]["Keys"]["address"]["S"]) for record in aws.stream_records()]
    assert found == [("INSERT", "b@example.com"), ("INSERT", "c@example.com")]


def test_the_stream_brings_each_change_once_and_in_order(aws: EmbeddedAws) -> None:
    """Every call goes on where the last one ended, and looking at contacts takes nothing away."""
    write(aws, "a@example.com", pending_shard="00")
    first = aws.stream_records()
    write(aws, "b@example.com", pending_shard="00")
    aws.contacts()
    write(aws, "c@example.com", pending_shard="00")
    second = aws.stream_records()
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in first + second]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert aws.stream_records() == []


def test_updates_and_batches_reach_the_stream(aws: EmbeddedAws) -> None:
    """Whatever call wrote it, a change is on the stream with what it was and became."""
    dynamodb = aws.client("dynamodb")
    item = {"address": {"S": "a@example.com"}, "record": {"S": "contact"}, "pending_shard": {"S": "00"}}
    dynamodb.batch_write_item(RequestItems={aws.table_name: [{"PutRequest": {"Item": item}}]})
    dynamodb.update_item(
        TableName=aws.table_name,
        Key={"address": item["address"], "record": item["record"]},
        UpdateExpression="SET soft_bounce_days = :soft_bounce_days",
        ExpressionAttributeValues={":soft_bounce_days": {"L": [{"S": "2026-01-01"}]}},
    )
    images = [(r["dynamodb"].get("OldImage"), r["dynamodb"]["NewImage"]) for r in aws.stream_records()]
    assert [(None, item), (item, {**item, "soft_bounce_days": {"L": [{"S": "2026-01-01"}]}})] == images


# The queue and the bus


def test_the_quarantine_can_be_looked_at_again(aws: EmbeddedAws) -> None:
    """Looking takes nothing off the queue, whose messages have a body and attributes."""
    reason = {"reason": {"DataType": "String", "StringValue": "NotJson"}}
    for body in ("{", "["):
        aws.client("sqs").send_message(QueueUrl=aws.quarantine_url, MessageBody=body, MessageAttributes=reason)
    expected = [QuarantinedMessage(body, {"reason": "NotJson"}) for body in ("{", "[")]
    assert expected == aws.quarantined() == aws.quarantined()


def test_what_is_published_can_be_read(aws: EmbeddedAws) -> None:
    """An event comes back as EventBridge hands it on, its detail no longer a string."""
    entry = {
        "Source": "ses-feedback",
        "DetailType": "Contact Status Changed",
        "Detail": json.dumps({"address": "ann@example.com"}),
        "EventBusName": aws.event_bus_name,
        "Time": NOON,
    }
    assert aws.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    found = [(event["source"], event["detail-type"], event["time"], event["detail"]) for event in aws.events()]
    expected = (
        "ses-feedback",
        "Contact Status Changed",
        "2026-03-01T12:00:00Z",
        {"address": "ann@example.com"},
    )
    assert [expected] == found


# What it leaves alone


def test_any_session_made_inside_reaches_it(aws: EmbeddedAws) -> None:
    """Functions that make their own session need no telling."""
    ses: Any = botocore.session.get_session().create_client("sesv2")
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
    assert [entry.email_address for entry in aws.suppression_list.entries()] == ["ann@example.com"]
    dynamodb: Any = botocore.session.get_session().create_client("dynamodb")
    assert dynamodb.list_tables()["TableNames"] == [aws.environment["TABLE_NAME"]]


def test_what_moto_knows_of_ses_still_works(aws: EmbeddedAws) -> None:
    """Only the suppression list is answered for."""
    aws.client("sesv2").create_configuration_set(ConfigurationSetName="news")
    assert aws.client("sesv2").list_configuration_sets()["ConfigurationSets"] == ["news"]


def test_the_environment_names_what_is_there(aws: EmbeddedAws) -> None:
    """The functions find the table, the queue and the bus by their variables."""
    environment = aws.environment
    expected = {"TABLE_NAME", "QUARANTINE_QUEUE_URL", "EVENT_BUS_NAME"}
    assert expected == environment.keys()
    attributes = aws.client("sqs").get_queue_attributes(
        QueueUrl=environment["QUARANTINE_QUEUE_URL"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0"
    bus = aws.client("events").describe_event_bus(Name=environment["EVENT_BUS_NAME"])
    assert bus["Name"] == environment["EVENT_BUS_NAME"]


def test_nothing_reaches_the_network(aws: EmbeddedAws) -> None:
    """A client that points elsewhere is refused before it connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        client: Any = aws.session.create_client(
            "dynamodb", endpoint_url=url, config=Config(retries={"total_max_attempts": 1})
        )
        with pytest.raises(ClientError, match="NotEmbedded"):
            client.list_tables()
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("call", [("sesv2", "get_account"), ("dynamodb", "list_tables")])
def test_clients_are_dead_afterwards(call: tuple[str, str]) -> None:
    """What was made inside neither sees a list that is gone nor goes to the network."""
    service, operation = call
    with EmbeddedAws() as aws:
        client = aws.client(service)
    with pytest.raises(ClientError, match="NotEmbedded"):
        getattr(client, operation)()


def test_the_environment_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's profile and endpoint count for nothing inside, and are there again afterwards."""
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "BounceFunction")
    before = dict(os.environ)
    with EmbeddedAws() as aws:
        inside = {name: os.environ.get(name) for name in ("AWS_PROFILE", "AWS_LAMBDA_FUNCTION_NAME")}
        aws.client("dynamodb").list_tables()
    assert inside == {"AWS_PROFILE": None, "AWS_LAMBDA_FUNCTION_NAME": "BounceFunction"}
    assert before == dict(os.environ)


def test_botocore_is_restored() -> None:
    """No handler of ours stays behind, even when the body fails."""
    before = list(handlers.BUILTIN_HANDLERS)
    with pytest.raises(ZeroDivisionError), EmbeddedAws():
        raise ZeroDivisionError
    assert before == handlers.BUILTIN_HANDLERS


def test_every_one_starts_empty() -> None:
    """What one held the next does not."""
    with EmbeddedAws() as aws:
        write(aws, "ann@example.com", pending_shard="00")
        aws.client("sesv2").put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
        aws.client("sqs").send_message(QueueUrl=aws.quarantine_url, MessageBody="{")
    with EmbeddedAws() as aws:
        found = (aws.contacts(), aws.stream_records(), aws.suppression_list.entries(), aws.quarantined())
    assert found == ([], [], [], [])


def test_there_is_one_at_a_time(aws: EmbeddedAws) -> None:
    """A second inside the first would share its state, so it is refused, and the first goes on."""
    with pytest.raises(RuntimeError, match="already running"), EmbeddedAws():
        pass
    assert aws.client("dynamodb").list_tables()["TableNames"] == ["Contacts"]


def _table_in_template() -> dict[str, Any]:
    """Return the properties of the one table in template.yaml, with !Ref X read as X."""

    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short forms as what follows them."""

    def plain(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> object:
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        assert isinstance(node, yaml.MappingNode)
        return loader.construct_mapping(node, deep=True)

    Loader.add_multi_constructor("!", plain)
    resources = yaml.load(TEMPLATE.read_text(), Loader)["Resources"].values()  # noqa: S506 - a SafeLoader.
    tables = [resource for resource in resources if resource["Type"] == "AWS::DynamoDB::Table"]
    properties: dict[str, Any] = tables[0]["Properties"]
    return properties
