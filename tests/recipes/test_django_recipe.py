"""The email backend for Django in docs/operate/ask-before-you-send.md, run with Django as it is printed."""

import ast
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives, get_connection, send_mail, send_mass_mail
from django.test.utils import override_settings

from localaws.in_process.embedded_aws import EmbeddedAws
from tests.support.documents import placeholders_replaced, python_blocks
from tests.support.faulty_client import FaultyClient

SENDER = "shop@example.com"
NEWSLETTER = {"X-SES-CONFIGURATION-SET": "newsletter"}
BLOCKED, UNSUBSCRIBED, OPTED_OUT, READER = (
    f"{name}@example.com" for name in ("blocked", "unsubscribed", "opted-out", "reader")
)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyClient]:
    """The DynamoDB client of a table with contacts, used by the recipe as the only email backend of Django."""
    module, options = python_blocks("docs/operate/ask-before-you-send.md", "Recipe: Django")
    with EmbeddedAws() as aws:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for address, may_send, transactional, streams in (
            (BLOCKED, False, False, []),
            (UNSUBSCRIBED, False, True, []),
            (OPTED_OUT, True, True, ["newsletter"]),
        ):
            item = {
                "address": {"S": address},
                "record": {"S": "contact"},
                "may_send": {"BOOL": may_send},
                "may_send_transactional": {"BOOL": transactional},
                "no_streams": {"L": [{"S": stream} for stream in streams]},
            }
            aws.client("dynamodb").put_item(TableName=aws.table_name, Item=item)
        if not settings.configured:
            settings.configure(USE_TZ=True)
        documented = assignments(placeholders_replaced(options, ContactsTableName=aws.table_name))
        in_memory = {"SES_FEEDBACK_EMAIL_BACKEND": "django.core.mail.backends.locmem.EmailBackend"}
        assert in_memory.keys() <= documented.keys()
        with override_settings(**documented | in_memory):
            ask_first = types.ModuleType("ask_first")
            exec(compile(module, "ask_first.py", "exec"), ask_first.__dict__)  # noqa: S102 (code of this repository)
            monkeypatch.setitem(sys.modules, "ask_first", ask_first)
            table = ask_first.contacts._table  # noqa: SLF001 (calls are counted)
            table._client = client = FaultyClient(table._client)  # noqa: SLF001
            mail.outbox = []
            yield client


def assignments(code: str) -> dict[str, Any]:
    """Return the names and values of assignments of literals."""
    statements = [statement for statement in ast.parse(code).body if isinstance(statement, ast.Assign)]
    return {ast.unparse(statement.targets[0]): ast.literal_eval(statement.value) for statement in statements}


def a_message(*to: str, **options: Any) -> EmailMultiAlternatives:  # noqa: ANN401 (Django's options)
    """Return an email with a text and an HTML part."""
    message = EmailMultiAlternatives("Subject", "Text", SENDER, list(to), **options)
    message.attach_alternative("<p>Text</p>", "text/html")
    return message


def recipients() -> list[list[str]]:
    """Return the recipients of each email that reached the backend behind the recipe."""
    return [message.recipients() for message in mail.outbox]


@pytest.mark.usefixtures("client")
def test_a_transactional_message_is_sent_unless_the_contact_is_on_the_suppression_list() -> None:
    sent = [send_mail("Receipt", "Text", SENDER, [one]) for one in (BLOCKED, UNSUBSCRIBED, OPTED_OUT, READER)]
    assert sent == [0, 1, 1, 1]
    assert recipients() == [[UNSUBSCRIBED], [OPTED_OUT], [READER]]


@pytest.mark.usefixtures("client")
def test_bulk_email_is_sent_to_contacts_that_did_not_opt_out_of_its_stream() -> None:
    to = (BLOCKED, UNSUBSCRIBED, f"A person <{OPTED_OUT.upper()}>", f"Reader <{READER}>")
    assert a_message(*to, headers=NEWSLETTER).send() == 1
    assert a_message(*to, headers={"X-SES-CONFIGURATION-SET": "offers"}).send() == 1
    assert recipients() == [[to[3]], [to[2], to[3]]]


@pytest.mark.usefixtures("client")
def test_blocked_copies_are_removed_and_the_message_of_the_caller_is_unchanged() -> None:
    message = a_message(READER, BLOCKED, cc=[BLOCKED], bcc=["copy@example.com", BLOCKED])
    assert message.send() == 1
    assert (message.to, message.cc, message.bcc) == ([READER, BLOCKED], [BLOCKED], ["copy@example.com", BLOCKED])
    [sent] = mail.outbox
    assert (sent.to, sent.cc, sent.bcc) == ([READER], [], ["copy@example.com"])
    assert [part.get_content_type() for part in sent.message().get_payload()] == ["text/plain", "text/html"]


def test_many_messages_of_a_stream_are_asked_with_one_call(client: FaultyClient) -> None:
    messages = [a_message(f"{number}@example.com", headers=NEWSLETTER) for number in range(100)]
    assert get_connection().send_messages(messages) == 100
    assert (client.count("batch_get_item"), len(client.calls)) == (1, 1)


@pytest.mark.usefixtures("client")
def test_messages_of_different_streams_are_sent_in_their_order() -> None:
    data = [("Receipt", "Text", SENDER, [UNSUBSCRIBED]), ("Receipt", "Text", SENDER, [BLOCKED])]
    assert send_mass_mail(data) == 1
    messages = [a_message(READER, headers=NEWSLETTER), a_message(OPTED_OUT), a_message(OPTED_OUT, headers=NEWSLETTER)]
    assert get_connection().send_messages(messages) == 2
    assert recipients() == [[UNSUBSCRIBED], [READER], [OPTED_OUT]]


def test_without_the_table_receipts_are_sent_and_newsletters_are_not(client: FaultyClient) -> None:
    def fault(*_: object) -> Any:  # noqa: ANN401
        raise ConnectionResetError

    client.default_fault = fault
    assert send_mail("Receipt", "Text", SENDER, [BLOCKED]) == 1
    assert a_message(READER, headers=NEWSLETTER).send() == 0
    assert recipients() == [[BLOCKED]]


def test_no_message_is_asked_and_sent_if_there_is_none(client: FaultyClient) -> None:
    assert get_connection().send_messages([]) == 0
    assert client.calls == []


@pytest.mark.usefixtures("client")
def test_a_connection_opens_and_closes_the_backend_behind_it() -> None:
    with get_connection() as connection:
        assert connection.send_messages([a_message(READER)]) == 1
    assert recipients() == [[READER]]
