"""`feedbackctl redrive`: move the messages of one queue to another queue."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Protocol

import click
from botocore.exceptions import ClientError

from feedbackctl.aws_clients import create_client
from feedbackctl.aws_failures import denied_action
from feedbackctl.aws_session import AwsSession
from feedbackctl.errors import OperatorError
from feedbackctl.operator_options import yes_option
from feedbackctl.printable import printable
from feedbackctl.queues import ReceivingClient, attribute_of, receive_messages, release_messages, sent_at
from feedbackctl.terminal.confirmation import confirm
from feedbackctl.unpacking.containers import as_queue_message, is_event, unpack_received
from feedbackctl.unpacking.packed_text import unpack_text
from ses_feedback.aws.errors import AWS_ERRORS, error_code, require
from ses_feedback.aws.quarantine import ATTRIBUTE_BYTES, MAX_MESSAGE_BYTES, SQS_INVALID_CHARACTER
from ses_feedback.reading.envelope import SENT_AT
from ses_feedback.timestamps import format_timestamp, parse_timestamp

_VISIBILITY_TIMEOUT = 900
"""Seconds for which a received message is invisible. Messages that stay are not received again during this time."""
_MAX_RECEIVES_WITHOUT_OLD_MESSAGES = 100
"""Receives in a row without a message from before the run. Standard queues are ordered on a best-effort basis only:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html"""
_ACCOUNT = re.compile(r"/(\d{12})/[^/]+/?$")
"""The account in the URL of a queue.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html"""
_REFUSED_CONTENT = frozenset({"InvalidMessageContents", "InvalidParameterValue"})
"""SQS's errors for a message with unsupported characters or of excessive length.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html"""


class RedriveClient(ReceivingClient, Protocol):
    """The methods of botocore's SQS client that a redrive calls."""

    def send_message(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def delete_message(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


@click.command
@click.option("--from", "source", required=True, metavar="URL", help="The queue to empty, for example quarantine.")
@click.option("--to", "target", required=True, metavar="URL", help="The queue of a lane. Any lane takes any feedback.")
@yes_option
def redrive(source: str, target: str, *, yes: bool) -> None:
    """Move the messages of one queue to another queue of your account, in their original form.

    A message that contains others, such as a Lambda event, is moved as the messages inside. Feedback that was applied
    before changes nothing. Two kinds of messages stay in the queue: those that SQS cannot carry in their original form,
    and those that arrive during the run.
    """
    sqs = create_client("sqs")
    require_own_queues(AwsSession().caller.account, source, target)
    show_queues(source, target)
    confirm("Move all messages?", yes=yes)
    redriven = redrive_queue(sqs, source, target)
    click.echo(f"Moved {redriven.moved}, left {redriven.unsendable} that SQS cannot carry in their original form.")
    if redriven.newer:
        click.echo(
            f"Left {redriven.newer} more that arrived during the run. If a lane sends them back, find the reason: "
            "docs/operate/runbook.md"
        )


class Redriven(NamedTuple):
    """Numbers of messages: moved, left because SQS cannot carry them, and left because they arrived during the run."""

    moved: int
    unsendable: int
    newer: int


def redrive_queue(
    sqs: RedriveClient, source: str, target: str, is_chosen: Callable[[dict[str, Any]], bool] = lambda _: True
) -> Redriven:
    """Move the messages that are on the queue `source` now and `is_chosen` to `target`, in their original form.

    A message that quarantine packed is unpacked. It stays if the target refuses its characters or its length. Messages
    that arrive during the run stay, too: a lane may send back each message, and the run would not end.

    Raises:
        OperatorError: SQS failed.

    """
    run = _Run(sqs, source, target, is_chosen)
    try:
        run.move_messages()
    except AWS_ERRORS as error:
        operation = f"{error.operation_name}: " if isinstance(error, ClientError) else ""
        denied = denied_action(error) if isinstance(error, ClientError) else None
        reason = f"your IAM policy does not allow {denied}" if denied else f"{operation}{error_code(error)}"
        raise OperatorError(
            f"SQS failed ({reason}). Moved {run.moved}, left {len(run.unsendable)} that SQS "
            "cannot carry in their original form; the others are still in the queue. Fix the cause and run the command "
            "again. Feedback that is moved twice changes nothing"
        ) from None
    finally:
        run.release_messages()
    return Redriven(run.moved, len(run.unsendable), len(run.newer))


def require_own_queues(account: str, source: str, target: str) -> None:
    """Require two different queues of the caller's account: messages contain personal data, which must not leave it.

    Raises:
        OperatorError: both queues are the same, or one belongs to another account.

    """
    if source.rstrip("/") == target.rstrip("/"):
        raise OperatorError("both queues are the same; name the queue to empty and a lane's (docs/operate/runbook.md)")
    for url in (source, target):
        owner = _ACCOUNT.search(url)
        if not owner or owner[1] != account:
            raise OperatorError(
                f"the queue {url} belongs to {f'the account {owner[1]}' if owner else 'an unknown account'}, and you "
                f"are signed in to {account}. Nothing was moved. Messages contain addresses, which must not leave the "
                "account; name a queue of this stack, or sign in to its account (docs/operate/runbook.md)"
            )


def show_queues(source: str, target: str) -> None:
    """Print both queues on standard error, so that the operator sees them before the confirmation."""
    click.echo(printable(f"From {source}"), err=True)
    click.echo(printable(f"To   {target}"), err=True)


@dataclass(slots=True)
class _Run:
    """One redrive. `unsendable` and `newer` are ids of messages that stay; `_receipts` has all that were received."""

    sqs: RedriveClient
    source: str
    target: str
    is_chosen: Callable[[dict[str, Any]], bool]
    moved: int = 0
    unsendable: set[str] = field(default_factory=set)
    newer: set[str] = field(default_factory=set)
    _receipts: dict[str, str] = field(default_factory=dict)

    def move_messages(self) -> None:
        """Move the messages that were sent before SQS's first response, until there are none."""
        began: datetime | None = None
        receives_without_old = 0
        while receives_without_old < _MAX_RECEIVES_WITHOUT_OLD_MESSAGES:
            response = receive_messages(self.sqs, self.source, _VISIBILITY_TIMEOUT)
            began = began or _response_time(response)
            messages = response.get("Messages", [])
            if not messages:
                return
            self._receipts |= {message["MessageId"]: message["ReceiptHandle"] for message in messages}
            old = [message for message in messages if sent_at(message) <= began]
            self.newer |= {message["MessageId"] for message in messages if sent_at(message) > began}
            for message in old:
                if self.is_chosen(message):
                    self._move(message)
            receives_without_old = 0 if old else receives_without_old + 1

    def _move(self, message: dict[str, Any]) -> None:
        """Send the messages inside a message, and delete it once SQS has all of them."""
        first_sent_at = _first_sent_at(message)
        texts = queue_texts(message)
        if not texts or not all(self._send(text, earlier or first_sent_at) for text, earlier in texts):
            self.unsendable.add(message["MessageId"])
            return
        self.sqs.delete_message(QueueUrl=self.source, ReceiptHandle=message["ReceiptHandle"])
        del self._receipts[message["MessageId"]]
        self.moved += 1

    def _send(self, text: str, first_sent_at: str) -> bool:
        """Send `text` to the target, and return False if SQS refuses its content.

        The attribute `sent-at` has the time at which the message was first sent, so that the dates of feedback do not
        change. Text that leaves no room for attributes is sent without it.
        """
        attributes = {SENT_AT: {"DataType": "String", "StringValue": first_sent_at}}
        fits = len(text.encode("utf-8", "surrogatepass")) <= MAX_MESSAGE_BYTES - ATTRIBUTE_BYTES
        try:
            answer = self.sqs.send_message(
                QueueUrl=self.target, MessageBody=text, **({"MessageAttributes": attributes} if fits else {})
            )
            require(answer, "MessageId")
        except ClientError as error:
            if error_code(error) in _REFUSED_CONTENT:
                return False
            raise
        return True

    def release_messages(self) -> None:
        """Make the messages that stay visible."""
        release_messages(self.sqs, self.source, self._receipts.values())


def _response_time(response: dict[str, Any]) -> datetime:
    """Return the time of a response by SQS's clock, in seconds and rounded up. This machine's clock may be wrong."""
    headers = require(response["ResponseMetadata"], "HTTPHeaders")
    return parsedate_to_datetime(require(headers, "date")) + timedelta(seconds=1)


def _first_sent_at(message: dict[str, Any]) -> str:
    """Return the time at which a message was first sent to a queue."""
    attribute = attribute_of(message, SENT_AT)
    return attribute if parse_timestamp(attribute) else format_timestamp(sent_at(message))


def queue_texts(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the texts of the messages inside a message, each with the time at which it was first sent, or without.

    Return an empty list if the message cannot be unpacked, or if SQS cannot carry one of them. An event of
    SuppressionFunction is one text.
    """
    whole = unpacked_text(message)
    if whole is None:
        return []
    inside = list(unpack_received(message))
    if any(isinstance(one.content, dict) and is_event(one.content) for one in inside):
        texts = [(whole, "")]
    else:
        found = [as_queue_message(one.content) for one in inside]
        texts = [(text, format_timestamp(first_sent) if first_sent else "") for text, first_sent in found]
    return texts if all(_is_sendable(text) for text, _ in texts) else []


def _is_sendable(text: str) -> bool:
    size = len(text.encode("utf-8", "surrogatepass"))
    return bool(text) and size <= MAX_MESSAGE_BYTES and not SQS_INVALID_CHARACTER.search(text)


def unpacked_text(message: dict[str, Any]) -> str | None:
    """Return the text of a message, also if SQS cannot carry it, or None if it cannot be unpacked."""
    return unpack_text(str(message["Body"]), attribute_of(message, "encoding"))
