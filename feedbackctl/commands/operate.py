"""What an operator does to a deployed stack: reinstate a contact, redrive a queue."""

import base64
import gzip
import re
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import Any, NamedTuple, Protocol

import click
from botocore.exceptions import BotoCoreError, ClientError

from ses_feedback.address import AddressError, parse_address
from ses_feedback.aws.batches import batched
from ses_feedback.aws.clients import Clients
from ses_feedback.aws.errors import AWS_ERRORS, error_code, require
from ses_feedback.aws.quarantine import MAX_MESSAGE_BYTES, SQS_INVALID_CHARACTER
from ses_feedback.contacts.contact import Contact, Evidence, merge
from ses_feedback.contacts.record import become
from ses_feedback.contacts.repository import ContactRepository
from ses_feedback.contacts.status import Standing, standing
from ses_feedback.handlers.deadline import utc_now
from ses_feedback.settings import Settings
from ses_feedback.timestamps import format_timestamp

_RACES = 10
_REASON_LENGTH = 500
_SURROGATE = re.compile("[\ud800-\udfff]")
"""What Python makes of an argument's bytes that are no text."""
_AT_ONCE = 10
"""What SQS takes and gives at once."""
_IN_VAIN = 100
"""Answers in a row without one message from before the run: a queue is no strict line, but not that far from one."""
_PACKED = "gzip+base64"
_NOT_CARRIED = frozenset({"InvalidMessageContents", "InvalidParameterValue"})
"""How SQS refuses a message for its characters and for its length."""


class Sqs(Protocol):
    """The calls of botocore's SQS client that are made here."""

    def receive_message(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def send_message(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def delete_message(self, **request: Any) -> Any: ...  # noqa: ANN401, D102
    def change_message_visibility_batch(self, **request: Any) -> Any: ...  # noqa: ANN401, D102


class OperatorError(click.ClickException):
    """What was asked for could not be done; the message says why, and what to do."""


def reinstate_contact(store: ContactRepository, address: str, reason: str, settings: Settings) -> str:
    """Let the contact of `address` be mailed again and return its status; everything else follows from the contact.

    Raises:
        OperatorError: it is no address, or no reason; the contact can't be read or written now; or it knows something
            newer than this machine's clock, which is not overridden.

    """
    try:
        parsed = parse_address(address)
    except AddressError as error:
        raise OperatorError(f"{error}; give the bare address, as in someone@example.com") from None
    now = _to_the_millisecond(utc_now())
    said = Contact(parsed.key, (parsed.variant,), opted_in=Evidence(now, _reason(reason)))
    failed: dict[str, str] = {}
    lost: str | None = None
    for _ in range(_RACES):
        stored = store.read([parsed.key], failed, consistent=True).get(parsed.key)
        if stored is None:
            raise OperatorError(f"the contact can't be read: {failed[parsed.key]}; see docs/operate/runbook.md")
        reinstated = merge(stored.contact, said)
        _check(standing(reinstated, settings.limits), now)
        after = become(stored, reinstated, settings.limits, utc_now())
        if after is None:
            return stored.status.value
        lost = store.write(after)
        if lost is None:
            return after.status.value
    raise OperatorError(f"the contact can't be written: {lost}; try again")


def _reason(text: str) -> str:
    """Return a reason fit to be kept on a contact, which DynamoDB reads and writes whole with each feedback."""
    reason = text.strip()
    if not reason:
        raise OperatorError("the reason is empty; say who asked for it, and why")
    if len(reason) > _REASON_LENGTH:
        raise OperatorError(f"the reason has {len(reason)} characters; say it in {_REASON_LENGTH}")
    if _SURROGATE.search(reason):
        raise OperatorError("the reason is not in this terminal's encoding; write it in UTF-8")
    return reason


def _check(current: Standing, now: datetime) -> None:
    """Refuse a reinstatement that something newer outdoes: the clock here is slow, or feedback came this moment.

    To date it by that something would do as well where the clock is slow. But where it is the evidence that is dated
    ahead, by a day or by years, all that is said of the contact until then would count for nothing.
    """
    if current.evidence:
        raise OperatorError(
            f"the contact is {current.status} by something of {format_timestamp(current.evidence.at)}, which is newer "
            f"than this machine's clock ({format_timestamp(now)}). Nothing was changed: set the "
            "clock, or wait until then, and try again"
        )


def _to_the_millisecond(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class Redriven(NamedTuple):
    """How many messages were moved, how many SQS can't carry as they are, how many came to the queue meanwhile."""

    moved: int
    left: int
    newer: int


def redrive_queue(sqs: Sqs, source: str, target: str) -> Redriven:
    """Move the messages that are on the queue `source` now to `target`.

    A message goes over as it came to quarantine, unpacked if it was packed. What the target does not take as it is
    (text SQS does not carry, or not of that length) is left where it is. So is what comes to `source` meanwhile: a lane
    may send back what it was sent, and the run would not end.

    Raises:
        OperatorError: both are one queue, or SQS does not do what it is asked.

    """
    if source.rstrip("/") == target.rstrip("/"):
        raise OperatorError(
            "both are the same queue; name the one to empty and a lane's, as in docs/operate/runbook.md"
        )
    run = _Redrive(sqs, source, target)
    try:
        run.move()
    except AWS_ERRORS as error:
        asked = f"{error.operation_name}: " if isinstance(error, ClientError) else ""
        raise OperatorError(
            f"SQS failed ({asked}{error_code(error)}). Moved {run.moved}, left {len(run.left)} that SQS can't carry as they "
            "are, and the rest where it was. Mend that and run it again: what is moved twice changes nothing"
        ) from None
    finally:
        run.give_back()
    return Redriven(run.moved, len(run.left), len(run.newer))


@dataclass(slots=True)
class _Redrive:
    """A run. `left` and `newer` have the ids of what stays, `_held` the receipt handle of all that was received."""

    sqs: Sqs
    source: str
    target: str
    moved: int = 0
    left: set[str] = field(default_factory=set)
    newer: set[str] = field(default_factory=set)
    _held: dict[str, str] = field(default_factory=dict)

    def move(self) -> None:
        """Move what was sent before SQS first answered, until there is no more of it."""
        began: datetime | None = None
        in_vain = 0
        while in_vain < _IN_VAIN:
            # The time they stay invisible keeps what is left from being received again and again.
            answer = self.sqs.receive_message(
                QueueUrl=self.source,
                MaxNumberOfMessages=_AT_ONCE,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
                VisibilityTimeout=900,
                WaitTimeSeconds=1,
            )
            began = began or _answered_by(answer)
            messages = answer.get("Messages", [])
            if not messages:
                return
            self._held |= {message["MessageId"]: message["ReceiptHandle"] for message in messages}
            older = [message for message in messages if _sent(message) <= began]
            self.newer |= {message["MessageId"] for message in messages if _sent(message) > began}
            for message in older:
                self._move(message)
            in_vain = 0 if older else in_vain + 1

    def _move(self, message: dict[str, Any]) -> None:
        text = _text(message)
        if text is None or not self._sends(text):
            self.left.add(message["MessageId"])
            return
        self.sqs.delete_message(QueueUrl=self.source, ReceiptHandle=message["ReceiptHandle"])
        del self._held[message["MessageId"]]
        self.moved += 1

    def _sends(self, text: str) -> bool:
        """Send `text`; say whether it could be carried."""
        try:
            require(self.sqs.send_message(QueueUrl=self.target, MessageBody=text), "MessageId")
        except ClientError as error:
            if error_code(error) in _NOT_CARRIED:
                return False
            raise
        return True

    def give_back(self) -> None:
        """Let what stays be seen again. Where SQS does not answer, it is once the time is up."""
        with suppress(*AWS_ERRORS):
            for batch in batched(self._held.values(), _AT_ONCE):
                entries = [
                    {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for number, handle in enumerate(batch)
                ]
                self.sqs.change_message_visibility_batch(QueueUrl=self.source, Entries=entries)


def _answered_by(answer: dict[str, Any]) -> datetime:
    """Return when SQS answered, by its own clock, which this machine's may be far from; to the second, rounded up."""
    headers = require(answer["ResponseMetadata"], "HTTPHeaders")
    return parsedate_to_datetime(require(headers, "date")) + timedelta(seconds=1)


def _sent(message: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)


def _text(message: dict[str, Any]) -> str | None:
    """Return the text a message came with, None when SQS does not carry it as it is or it can't be unpacked."""
    encoding = message.get("MessageAttributes", {}).get("encoding", {})
    if encoding.get("StringValue") != _PACKED:
        return str(message["Body"])
    try:
        with gzip.open(BytesIO(base64.b64decode(message["Body"]))) as packed:
            # A little that is packed can be a great deal that is not.
            raw = packed.read(MAX_MESSAGE_BYTES + 1)
        # As it was packed: a lone surrogate stays one, which SQS does not carry, and becomes no other text.
        text = raw.decode("utf-8", "surrogatepass")
    except (ValueError, EOFError, OSError, zlib.error):
        return None
    return text if text and len(raw) <= MAX_MESSAGE_BYTES and not SQS_INVALID_CHARACTER.search(text) else None


@contextmanager
def _connecting() -> Iterator[None]:
    """Tell what botocore lacks to make a client: a Region, most often."""
    try:
        yield
    except BotoCoreError as error:
        raise OperatorError(str(error)) from None


@click.command(short_help="Let a contact be mailed again.")
@click.argument("address")
@click.option("--table", required=True, metavar="NAME", help="The stack's output ContactsTableName.")
@click.option("--reason", required=True, help="Who asked for it, and why: kept on the contact; 500 characters.")
@click.option("--suppress-unsubscribed", is_flag=True, help="The stack's SuppressUnsubscribed is true.")
def reinstate(address: str, table: str, reason: str, *, suppress_unsubscribed: bool) -> None:
    """Let the contact of ADDRESS be mailed again, on somebody's authority.

    Only what SES reports from now on counts. The suppression list follows within minutes: until then SES still refuses
    mail to the address, and says so, which does not count for a day.
    """
    settings = Settings(table, suppress_unsubscribed=suppress_unsubscribed)
    with _connecting():
        dynamodb = Clients().dynamodb
    store = ContactRepository(
        dynamodb,
        table,
        settings.limits,
        history_days=settings.history_days,
        now=utc_now,
        sleep=time.sleep,
    )
    click.echo(f"The contact is {reinstate_contact(store, address, reason, settings)}.")


@click.command(short_help="Send what waits in one queue through a lane again.")
@click.option("--from", "source", required=True, metavar="URL", help="The queue to empty: quarantine, for example.")
@click.option("--to", "target", required=True, metavar="URL", help="The lane's queue; any lane takes any feedback.")
def redrive(source: str, target: str) -> None:
    """Send what waits in one queue to another, as it came. Feedback that was applied before changes nothing.

    What comes to the queue meanwhile stays, and so does what SQS can't carry as it is.
    """
    with _connecting():
        sqs = Clients().sqs
    done = redrive_queue(sqs, source, target)
    click.echo(f"Moved {done.moved}, left {done.left} that SQS can't carry as they are.")
    if done.newer:
        click.echo(
            f"Left {done.newer} more that came meanwhile; if a lane sends them back, see why: docs/operate/runbook.md"
        )
