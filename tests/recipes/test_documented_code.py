"""Python code in the README and in docs/operate/ask-before-you-send.md, run as it is printed."""

import json
import logging
import types
from collections.abc import Iterator
from typing import Any

import pytest
from moto.ses.models import ses_backends

from localaws.in_process.embedded_aws import ACCOUNT, EmbeddedAws
from ses_feedback.client import Contacts, PreferenceNotSentError, Preferences
from tests.support.builders import a_contact_item
from tests.support.documents import placeholders_replaced, python_blocks

PAGE = "docs/operate/ask-before-you-send.md"
REGION = "us-east-1"
STATUSES: dict[str, tuple[bool, bool, list[str]]] = {
    "complained@example.com": (False, False, []),
    "unsubscribed@example.com": (False, True, []),
    "reader@example.com": (True, True, ["offers"]),
    "opted-out@example.com": (True, True, ["newsletter"]),
}
"""Contacts in the table: `may_send`, `may_send_transactional` and `no_streams`."""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedAws]:
    """An account with contacts, a verified sender and a complaint queue, and its Region in the environment."""
    with EmbeddedAws() as aws:
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        aws.client("sesv2").create_email_identity(EmailIdentity="news@example.com")
        for address, (may_send, transactional, streams) in STATUSES.items():
            item = a_contact_item(address, may_send=may_send, transactional=transactional, no_streams=streams)
            aws.client("dynamodb").put_item(TableName=aws.table_name, Item=item)
        yield aws


def run(code: str, aws: EmbeddedAws, **names: object) -> types.SimpleNamespace:
    """Run documented code with the names of the account's resources. Return what it defines."""
    queue_url = aws.client("sqs").create_queue(QueueName="ComplaintQueue")["QueueUrl"]
    code = placeholders_replaced(code, ContactsTableName=aws.table_name, ComplaintQueueUrl=queue_url)
    defined: dict[str, Any] = dict(names)
    exec(compile(code, PAGE, "exec"), defined)  # noqa: S102 (code of this repository)
    return types.SimpleNamespace(**defined)


def sent() -> list[tuple[str, str]]:
    """Return recipient and subject of each email that SES accepted."""
    messages = ses_backends[ACCOUNT][REGION].sent_messages
    return [(message.destinations["ToAddresses"][0], message.subject) for message in messages]


def content(subject: str) -> dict[str, Any]:
    """Return the content of a SendEmail request."""
    return {"Simple": {"Subject": {"Data": subject}, "Body": {"Text": {"Data": "Text"}}}}


def test_the_examples_of_the_readme_and_of_the_first_section_run(aws: EmbeddedAws) -> None:
    for document, heading in (("README.md", "Ask before you send"), (PAGE, "Ask before you send")):
        [code] = python_blocks(document, heading)
        contacts = run(code, aws).contacts
        assert not contacts.may_send("A person <Opted-Out@example.com>", "newsletter")
        assert contacts.may_send_transactional("unsubscribed@example.com")


def test_every_documented_way_to_give_the_table_reads_it(aws: EmbeddedAws) -> None:
    [code] = python_blocks(PAGE, "If the table does not answer")
    made: list[Contacts] = []
    run(code, aws, Contacts=lambda *given, **options: made.append(Contacts(*given, **options)))
    assert [one.may_send("complained@example.com") for one in made] == [False] * 3


def test_send_newsletter_skips_contacts_that_may_not_get_it(aws: EmbeddedAws) -> None:
    [code] = python_blocks(PAGE, "Recipe: SES SendEmail")
    recipe = run(code, aws)
    addresses = [*STATUSES, "New Person <new@example.com>", "no-at-sign"]
    assert recipe.send_newsletter(iter(addresses), content("News")) == 2
    assert sent() == [("reader@example.com", "News"), ("New Person <new@example.com>", "News")]
    assert recipe.send_newsletter([], content("News")) == 0


def test_send_receipt_reaches_each_contact_that_ses_would_not_block(aws: EmbeddedAws) -> None:
    [code] = python_blocks(PAGE, "Recipe: SES SendEmail")
    recipe = run(code, aws)
    answers = [recipe.send_receipt(address, content("Receipt")) for address in STATUSES]
    assert answers == [False, True, True, True]
    assert [address for address, _ in sent()] == [address for address in STATUSES if "complained" not in address]


def test_without_the_table_receipts_are_sent_and_newsletters_are_not(
    aws: EmbeddedAws, caplog: pytest.LogCaptureFixture
) -> None:
    [code] = python_blocks(PAGE, "Recipe: SES SendEmail")
    recipe = run(code, aws)
    aws.client("dynamodb").delete_table(TableName=aws.table_name)
    assert recipe.send_receipt("complained@example.com", content("Receipt"))
    assert recipe.send_newsletter(["reader@example.com"], content("News")) == 0
    assert sent() == [("complained@example.com", "Receipt")]
    assert [record.levelno for record in caplog.records if record.name == "ses_feedback.client"] == [
        logging.WARNING
    ] * 2


def test_the_loop_over_many_addresses_runs(aws: EmbeddedAws) -> None:
    [first] = python_blocks(PAGE, "Ask before you send")
    [loop] = python_blocks(PAGE, "Many addresses")
    asked: list[str] = []
    run(first + loop.replace("...", "asked.append(address)"), aws, asked=asked, addresses=list(STATUSES))
    assert asked == ["reader@example.com"]


def test_preferences_are_sent_and_repeated_as_documented(aws: EmbeddedAws) -> None:
    send, repeat = python_blocks(PAGE, "Pass on a person's choice")
    defined = run(send, aws)
    calls: list[dict[str, Any]] = []

    def unsubscribe(address: str, **options: Any) -> object:  # noqa: ANN401
        calls.append(options)
        receipt = Preferences.unsubscribe(defined.preferences, address, **options)
        if not options:
            raise PreferenceNotSentError("ReadTimeoutError", receipt)
        return receipt

    run(repeat, aws, preferences=types.SimpleNamespace(unsubscribe=unsubscribe))
    assert len(calls) == 2
    sqs, bodies = aws.client("sqs"), []
    url = sqs.get_queue_url(QueueName="ComplaintQueue")["QueueUrl"]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [json.loads(message["Body"]) for message in messages]
    assert [body["preference"] for body in bodies] == ["unsubscribe", "subscribe", "unsubscribe", "unsubscribe"]
    assert bodies[2] == bodies[3]
