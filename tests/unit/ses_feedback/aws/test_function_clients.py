"""A function in Lambda speaks to DynamoDB itself, and starts without what most events never need."""

from botocore.session import Session

from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.clients import Clients
from ses_feedback.aws.dynamodb.client import DynamoDbClient
from ses_feedback.aws.endpoints import Access
from ses_feedback.aws.function_clients import FunctionClients

ACCESS = Access("http://127.0.0.1:4566", "us-east-1", "key", "secret")


def test_dynamodb_is_spoken_to_directly() -> None:
    """Where the function is told how; once for all calls, so that connections are kept."""
    clients = FunctionClients(ACCESS)
    assert isinstance(clients.dynamodb, DynamoDbClient)
    assert clients.dynamodb is clients.dynamodb


def test_botocore_finds_the_way_where_nobody_tells() -> None:
    """As every other client does."""
    with EmbeddedAws() as aws:
        clients = FunctionClients(None)
        answer = clients.dynamodb.get_item(
            TableName=aws.table_name, Key={"address": {"S": "a"}, "record": {"S": "contact"}}
        )
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], "Item" in answer) == (200, False)


def test_all_else_is_botocores() -> None:
    """Made on first use, and once."""
    with EmbeddedAws():
        clients = FunctionClients(ACCESS)
        assert set(vars(clients)) == {"_access"}
        for name in ("sqs", "events", "sesv2", "s3"):
            client = getattr(clients, name)
            assert client is getattr(clients, name)
            assert client.meta.service_model.service_name == name
        assert isinstance(vars(clients)["_botocore"], Clients)
        assert isinstance(vars(vars(clients)["_botocore"])["_session"], Session)
