"""FunctionClients: DynamoDB is called directly, and botocore is imported only when it is needed."""

from botocore.session import Session

from localaws.in_process.embedded_aws import EmbeddedAws
from ses_feedback.aws.clients import Clients
from ses_feedback.aws.dynamodb.client import DynamoDbClient
from ses_feedback.aws.endpoints import Access
from ses_feedback.aws.function_clients import FunctionClients

ACCESS = Access("http://127.0.0.1:4566", "us-east-1", "key", "secret")


def test_with_access_dynamodb_is_one_direct_client() -> None:
    """One client, so that its connections stay open."""
    clients = FunctionClients(ACCESS)
    assert isinstance(clients.dynamodb, DynamoDbClient)
    assert clients.dynamodb is clients.dynamodb


def test_without_access_dynamodb_is_called_through_botocore() -> None:
    with EmbeddedAws() as aws:
        clients = FunctionClients(None)
        response = clients.dynamodb.get_item(
            TableName=aws.table_name, Key={"address": {"S": "a"}, "record": {"S": "contact"}}
        )
        assert (response["ResponseMetadata"]["HTTPStatusCode"], "Item" in response) == (200, False)


def test_the_other_clients_are_botocores_and_created_once_on_first_use() -> None:
    with EmbeddedAws():
        clients = FunctionClients(ACCESS)
        assert set(vars(clients)) == {"_access"}
        for name in ("sqs", "events", "sesv2", "s3"):
            client = getattr(clients, name)
            assert client is getattr(clients, name)
            assert client.meta.service_model.service_name == name
        assert isinstance(vars(clients)["_botocore"], Clients)
        assert isinstance(vars(vars(clients)["_botocore"])["_session"], Session)
