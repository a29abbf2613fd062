"""The embedded AWS behaves as AWS for the functions, and leaves no trace in the process."""

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

from localaws.in_process.contacts_table import CREATE_TABLE
from localaws.in_process.embedded_aws import EmbeddedAws, QuarantinedMessage
from localaws.in_process.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEMPLATE = Path(__file__).parents[4] / "template.yaml"


@pytest.fixture
def aws() -> "Iterator[EmbeddedAws]":
    """Return an embedded AWS whose clock shows noon."""
    with EmbeddedAws(VirtualClock(NOON)) as aws:
        yield aws


def write_item(aws: EmbeddedAws, address: str, record: str = "contact", **attributes: str) -> None:
    """Write an item with string attributes."""
    item = {name: {"S": value} for name, value in {"address": address, "record": record, **attributes}.items()}
    aws.client("dynamodb").put_item(TableName=aws.table_name, Item=item)


def delete_contact(aws: EmbeddedAws, address: str) -> None:
    """Delete a contact item."""
    key = {"address": {"S": address}, "record": {"S": "contact"}}
    aws.client("dynamodb").delete_item(TableName=aws.table_name, Key=key)


def query_index(aws: EmbeddedAws, index: str, partition: str, value: str) -> list[dict[str, Any]]:
    """Return the items in one partition of an index."""
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


def test_virtual_clock_advances_by_sleeping_only() -> None:
    clock = VirtualClock(NOON)
    clock.sleep(86_400)
    assert clock.now() == NOON + timedelta(days=1)


def test_virtual_clock_starts_at_the_real_time_by_default() -> None:
    assert abs(VirtualClock().now() - datetime.now(UTC)) < timedelta(minutes=1)


# The table and its stream


def test_table_has_the_keys_indexes_and_stream_of_the_template() -> None:
    properties = _read_table_properties()
    declared = {name: properties[name] for name in CREATE_TABLE if name not in ("TableName", "AttributeDefinitions")}
    expected = {name: CREATE_TABLE[name] for name in declared}
    # CloudFormation has no StreamEnabled: naming a view type is enabling it.
    expected["StreamSpecification"] = {"StreamViewType": CREATE_TABLE["StreamSpecification"]["StreamViewType"]}

    def types(definitions: list[dict[str, str]]) -> dict[str, str]:
        return {definition["AttributeName"]: definition["AttributeType"] for definition in definitions}

    assert expected == declared
    assert types(CREATE_TABLE["AttributeDefinitions"]) == types(properties["AttributeDefinitions"])


def test_template_has_the_stream_filter_that_stream_records_applies() -> None:
    patterns = re.findall("Pattern: '(.*NewImage.*)'", TEMPLATE.read_text())
    expected = {"dynamodb": {"NewImage": {"pending_shard": {"S": [{"exists": True}]}}}}
    assert [json.loads(pattern) for pattern in patterns] == [expected]


def test_index_has_only_items_with_its_keys_and_only_their_keys(aws: EmbeddedAws) -> None:
    write_item(aws, "a@example.com", unsendable="bounced#00", status_at="2026-01-01", reason="NoEmail")
    write_item(aws, "b@example.com", pending_shard="07", pending_at="2026-01-02", reason="NoEmail")
    write_item(aws, "c@example.com", reason="NoEmail")
    assert query_index(aws, "Unsendable", "unsendable", "bounced#00") == [
        {
            "address": {"S": "a@example.com"},
            "record": {"S": "contact"},
            "unsendable": {"S": "bounced#00"},
            "status_at": {"S": "2026-01-01"},
        }
    ]
    assert query_index(aws, "PendingSync", "pending_shard", "07") == [
        {
            "address": {"S": "b@example.com"},
            "record": {"S": "contact"},
            "pending_shard": {"S": "07"},
            "pending_at": {"S": "2026-01-02"},
        }
    ]


def test_contacts_returns_the_current_contact_items_only(aws: EmbeddedAws) -> None:
    write_item(aws, "b@example.com", status="bouncing")
    write_item(aws, "a@example.com", status="active")
    write_item(aws, "c@example.com", status="active")
    write_item(aws, "a@example.com", "feedback#2026-01-01#x")
    write_item(aws, "suppression-list", "rate_limiter")
    before = len(aws.contacts())
    write_item(aws, "b@example.com", status="bounced")
    delete_contact(aws, "c@example.com")
    found = [(item["address"]["S"], item["status"]["S"]) for item in aws.contacts()]
    assert (before, found) == (3, [("a@example.com", "active"), ("b@example.com", "bounced")])


def test_stream_record_has_the_form_that_lambda_delivers(aws: EmbeddedAws) -> None:
    write_item(aws, "a@example.com", pending_shard="00")
    write_item(aws, "a@example.com", pending_shard="00", reason="NoEmail")
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


def test_stream_records_contains_only_changes_that_leave_a_contact_pending(aws: EmbeddedAws) -> None:
    write_item(aws, "a@example.com")
    write_item(aws, "b@example.com", pending_shard="00")
    write_item(aws, "b@example.com", pending_shard="00")
    write_item(aws, "c@example.com", pending_shard="00")
    write_item(aws, "c@example.com")
    delete_contact(aws, "b@example.com")
    write_item(aws, "suppression-list", "rate_limiter")
    found = [(record["eventName"], record["dynamodb"]["Keys"]["address"]["S"]) for record in aws.stream_records()]
    assert found == [("INSERT", "b@example.com"), ("INSERT", "c@example.com")]


def test_stream_records_returns_each_change_once_and_in_order(aws: EmbeddedAws) -> None:
    write_item(aws, "a@example.com", pending_shard="00")
    first = aws.stream_records()
    write_item(aws, "b@example.com", pending_shard="00")
    aws.contacts()
    write_item(aws, "c@example.com", pending_shard="00")
    second = aws.stream_records()
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in first + second]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert aws.stream_records() == []


def test_batch_writes_and_updates_are_in_the_stream_with_both_images(aws: EmbeddedAws) -> None:
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


def test_reading_the_quarantine_leaves_its_messages_in_the_queue(aws: EmbeddedAws) -> None:
    reason = {"reason": {"DataType": "String", "StringValue": "NotJson"}}
    for body in ("{", "["):
        aws.client("sqs").send_message(QueueUrl=aws.quarantine_url, MessageBody=body, MessageAttributes=reason)
    expected = [QuarantinedMessage(body, {"reason": "NotJson"}) for body in ("{", "[")]
    assert expected == aws.quarantined() == aws.quarantined()


def test_published_event_has_the_form_that_a_target_receives(aws: EmbeddedAws) -> None:
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


# Isolation


def test_every_session_created_inside_uses_the_embedded_aws(aws: EmbeddedAws) -> None:
    ses: Any = botocore.session.get_session().create_client("sesv2")
    ses.put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
    assert [entry.email_address for entry in aws.suppression_list.entries()] == ["ann@example.com"]
    dynamodb: Any = botocore.session.get_session().create_client("dynamodb")
    assert dynamodb.list_tables()["TableNames"] == [aws.environment["TABLE_NAME"]]


def test_other_ses_operations_are_motos(aws: EmbeddedAws) -> None:
    aws.client("sesv2").create_configuration_set(ConfigurationSetName="news")
    assert aws.client("sesv2").list_configuration_sets()["ConfigurationSets"] == ["news"]


def test_environment_names_the_existing_resources(aws: EmbeddedAws) -> None:
    environment = aws.environment
    expected = {"TABLE_NAME", "QUARANTINE_QUEUE_URL", "EVENT_BUS_NAME"}
    assert expected == environment.keys()
    attributes = aws.client("sqs").get_queue_attributes(
        QueueUrl=environment["QUARANTINE_QUEUE_URL"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0"
    bus = aws.client("events").describe_event_bus(Name=environment["EVENT_BUS_NAME"])
    assert bus["Name"] == environment["EVENT_BUS_NAME"]


def test_client_with_another_endpoint_is_refused_without_a_connection(aws: EmbeddedAws) -> None:
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
def test_client_fails_after_the_context_has_ended(call: tuple[str, str]) -> None:
    service, operation = call
    with EmbeddedAws() as aws:
        client = aws.client(service)
    with pytest.raises(ClientError, match="NotEmbedded"):
        getattr(client, operation)()


def test_environment_is_isolated_inside_and_restored_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "another")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "BounceFunction")
    before = dict(os.environ)
    with EmbeddedAws() as aws:
        inside = {name: os.environ.get(name) for name in ("AWS_PROFILE", "AWS_LAMBDA_FUNCTION_NAME")}
        aws.client("dynamodb").list_tables()
    assert inside == {"AWS_PROFILE": None, "AWS_LAMBDA_FUNCTION_NAME": "BounceFunction"}
    assert before == dict(os.environ)


def test_botocore_handlers_are_restored_after_an_exception() -> None:
    before = list(handlers.BUILTIN_HANDLERS)
    with pytest.raises(ZeroDivisionError), EmbeddedAws():
        raise ZeroDivisionError
    assert before == handlers.BUILTIN_HANDLERS


def test_new_embedded_aws_is_empty() -> None:
    with EmbeddedAws() as aws:
        write_item(aws, "ann@example.com", pending_shard="00")
        aws.client("sesv2").put_suppressed_destination(EmailAddress="ann@example.com", Reason="BOUNCE")
        aws.client("sqs").send_message(QueueUrl=aws.quarantine_url, MessageBody="{")
    with EmbeddedAws() as aws:
        found = (aws.contacts(), aws.stream_records(), aws.suppression_list.entries(), aws.quarantined())
    assert found == ([], [], [], [])


def test_second_embedded_aws_is_refused_and_the_first_continues(aws: EmbeddedAws) -> None:
    with pytest.raises(RuntimeError, match="already running"), EmbeddedAws():
        pass
    assert aws.client("dynamodb").list_tables()["TableNames"] == ["Contacts"]


def _read_table_properties() -> dict[str, Any]:
    """Return the properties of the table in template.yaml, with `!Ref X` read as `X`."""

    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short forms as their arguments."""

    def read_argument(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> object:
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        assert isinstance(node, yaml.MappingNode)
        return loader.construct_mapping(node, deep=True)

    Loader.add_multi_constructor("!", read_argument)
    resources = yaml.load(TEMPLATE.read_text(), Loader)["Resources"].values()  # noqa: S506 (a SafeLoader)
    tables = [resource for resource in resources if resource["Type"] == "AWS::DynamoDB::Table"]
    properties: dict[str, Any] = tables[0]["Properties"]
    return properties
