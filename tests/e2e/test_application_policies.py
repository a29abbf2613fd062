"""Applications: the policies for them allow what they need and nothing else, and the queue refuses other senders."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from ses_feedback.client import Contacts, Preferences
from ses_feedback.timestamps import format_timestamp
from tests.e2e.stack_under_test import StackUnderTest, wait_for

_NUMBERS = count(1)


@contextmanager
def application(stack: StackUnderTest, *outputs: str) -> Iterator[botocore.session.Session]:
    """Create a user with the policies of the outputs for the duration of the context; return a session of the user."""
    iam, name = stack.client("iam"), f"application-{next(_NUMBERS)}"
    iam.create_user(UserName=name)
    for output in outputs:
        iam.attach_user_policy(UserName=name, PolicyArn=stack.outputs[output])
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = botocore.session.Session()
    session.set_credentials(key["AccessKeyId"], key["SecretAccessKey"])
    yield session
    for output in outputs:
        iam.detach_user_policy(UserName=name, PolicyArn=stack.outputs[output])
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)


def client_of(stack: StackUnderTest, session: botocore.session.Session, service: str) -> Any:  # noqa: ANN401
    """Return a client with the credentials of an application."""
    region = stack.server.environment["AWS_REGION"]
    return session.create_client(service, region_name=region, endpoint_url=stack.server.url)


def preference(address: str, **fields: object) -> str:
    """Return the body of a preference message."""
    document = {"preference": "unsubscribe", "version": 1, "address": address, "id": "e2e"}
    return json.dumps({**document, "time": format_timestamp(datetime.now(UTC)), **fields})


def test_application_with_the_policy_reports_an_opt_out(stack: StackUnderTest) -> None:
    address = stack.create_address("success")
    with application(stack, "SendPreferencesPolicyArn") as session:
        queue = stack.outputs["ComplaintQueueUrl"]
        Preferences(queue, client=client_of(stack, session, "sqs")).unsubscribe(address, reason="by phone")
        assert wait_for(partial(stack.contact, address)).get("status") == "unsubscribed"
    assert stack.history(address) == ["Preference/Unsubscribe"]


def test_sender_may_do_nothing_else(stack: StackUnderTest) -> None:
    with application(stack, "SendPreferencesPolicyArn") as session:
        sqs, dynamodb = client_of(stack, session, "sqs"), client_of(stack, session, "dynamodb")
        queue, other = stack.outputs["ComplaintQueueUrl"], stack.outputs["BounceQueueUrl"]
        key = {"address": {"S": "a@example.com"}, "record": {"S": "contact"}}
        for call in (
            partial(sqs.receive_message, QueueUrl=queue),
            partial(sqs.purge_queue, QueueUrl=queue),
            partial(sqs.send_message, QueueUrl=other, MessageBody="{}"),
            partial(dynamodb.get_item, TableName=stack.outputs["ContactsTableName"], Key=key),
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                call()


def test_application_without_the_policy_cannot_send(stack: StackUnderTest) -> None:
    with application(stack, "ReadContactsPolicyArn") as session, pytest.raises(ClientError, match="AccessDenied"):
        client_of(stack, session, "sqs").send_message(
            QueueUrl=stack.outputs["ComplaintQueueUrl"], MessageBody=preference("a@example.com")
        )


def test_application_with_the_policy_reads_the_answers(stack: StackUnderTest) -> None:
    address = stack.create_address("complaint")
    stack.send_email(address)
    assert wait_for(partial(stack.contact, address)).get("status") == "complained"
    with application(stack, "ReadContactsPolicyArn") as session:
        contacts = Contacts(stack.outputs["ContactsTableName"], client=client_of(stack, session, "dynamodb"))
        assert not contacts.may_send(address)
        assert not contacts.may_send_transactional(address)
        assert dict(contacts.may_send_many([address, "unknown@example.com"])) == {
            address: False,
            "unknown@example.com": True,
        }


def test_reader_may_read_no_other_attribute_and_write_nothing(stack: StackUnderTest) -> None:
    table, key = stack.outputs["ContactsTableName"], {"address": {"S": "a@example.com"}, "record": {"S": "contact"}}
    with application(stack, "ReadContactsPolicyArn") as session:
        dynamodb = client_of(stack, session, "dynamodb")
        dynamodb.get_item(TableName=table, Key=key, ProjectionExpression="may_send, reason")
        for call in (
            partial(dynamodb.get_item, TableName=table, Key=key),
            partial(dynamodb.get_item, TableName=table, Key=key, ProjectionExpression="may_send, bounced_message_id"),
            partial(dynamodb.batch_get_item, RequestItems={table: {"Keys": [key]}}),
            partial(dynamodb.put_item, TableName=table, Item=key),
            partial(dynamodb.scan, TableName=table, ProjectionExpression="address"),
            partial(
                dynamodb.query,
                TableName=table,
                KeyConditionExpression="address = :a",
                ExpressionAttributeValues={":a": {"S": "a@example.com"}},
                ProjectionExpression="may_send",
            ),
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                call()


def test_complaint_queue_refuses_another_topic_even_if_a_statement_allows_it(stack: StackUnderTest) -> None:
    sqs, sns, queue = stack.client("sqs"), stack.client("sns"), stack.outputs["ComplaintQueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy", "QueueArn"])["Attributes"]
    policy, arn = json.loads(attributes["Policy"]), attributes["QueueArn"]
    # The key policy allows the topics of the stack only, so the other topic is one of them.
    topic = stack.outputs["BounceTopicArn"]
    attributes = {"RawMessageDelivery": "true"}
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)["SubscriptionArn"]
    sns_may_send = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    allow = {**sns_may_send, "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}

    def set_statements(statements: list[Any]) -> None:
        document = json.dumps({**policy, "Statement": statements})
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})

    refused, delivered = stack.create_address("success"), stack.create_address("success")
    set_statements([*policy["Statement"], allow])
    sns.publish(TopicArn=topic, Message=preference(refused))
    set_statements([*(each for each in policy["Statement"] if each["Sid"] != "DenyOtherSenders"), allow])
    sns.publish(TopicArn=topic, Message=preference(delivered))
    assert wait_for(partial(stack.contact, delivered)).get("status") == "unsubscribed"
    set_statements(policy["Statement"])
    sns.unsubscribe(SubscriptionArn=subscription)
    assert stack.contact(refused) == {}
    # BounceFunction gets both messages too, and quarantines them: a preference is not for its lane.
    assert wait_for(lambda: stack.queue_length("QuarantineQueueUrl"), lambda length: length >= 2) == 2
    stack.take_messages(stack.outputs["QuarantineQueueUrl"])


def test_malformed_preference_message_is_quarantined_with_its_reason(stack: StackUnderTest) -> None:
    stack.take_messages(stack.outputs["QuarantineQueueUrl"])
    body = preference("a@example.com", version=7)
    stack.client("sqs").send_message(QueueUrl=stack.outputs["ComplaintQueueUrl"], MessageBody=body)
    assert wait_for(stack.take_quarantined) == {body: "malformed-preference: version: value_error"}
    assert stack.queue_length("QuarantineQueueUrl") == 0
