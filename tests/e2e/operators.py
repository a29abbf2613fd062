"""Operators with one policy each, and runs of every command with new contacts and messages."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

from click.testing import CliRunner, Result

from feedbackctl.__main__ import main
from feedbackctl.queues import STORED
from ses_feedback.timestamps import format_timestamp
from tests.e2e.stack_under_test import StackUnderTest, wait_for
from tests.e2e.workload import HARD_BOUNCE, create_bounce

_NUMBERS = count(1)
REASON = ("--reason", "test")
READING = {
    "contact show": ("{bounced}",),
    "contact explain": ("{bounced}", "--insights"),
    "contact list": ("--status", "bounced", "--diagnostic", "nothing"),
    "contact export": ("--status", "bounced"),
    "contact operations": (),
    "contact-hash": ("{bounced}",),
    "doctor": (),
    "list diff": (),
    "quarantine list": (),
    "quarantine show": ("{message}",),
    "dead-letters list": (),
    "undelivered list": (),
    "iam read": (),
    "iam change": (),
}
CHANGING = {
    "contact suppress": ("{other}", *REASON),
    "contact unsubscribe": ("{other}", *REASON),
    "contact resubscribe": ("{other}", *REASON),
    "contact reinstate": ("--where", "--limit", "2", *REASON, "--yes"),
    "contact import": ("-", *REASON, "--yes"),
    "list reconcile": ("--apply", *REASON, "--yes"),
    "contact erase": ("{bounced}", "--forget", *REASON, "--yes"),
    "quarantine redrive": ("--all", "--to", "bounce", "--yes"),
    "dead-letters redrive": ("--all", "--to", "bounce", "--yes"),
    "undelivered redrive": ("--all", "--to", "bounce", "--yes"),
    "smoke": ("--patience", "30"),
}
THROTTLED_ATTEMPTS = 5
QUEUES = tuple(STORED.values())


class Operator:
    """A user of the account whose only permissions are those of one inline policy."""

    def __init__(self, stack: StackUnderTest, environment: Mapping[str, str]) -> None:
        self._stack, self._iam, self.name = stack, stack.client("iam"), f"operator-{next(_NUMBERS)}"
        self._iam.create_user(UserName=self.name)
        key = self._iam.create_access_key(UserName=self.name)["AccessKey"]
        self._key = key["AccessKeyId"]
        self._environment = {
            **environment,
            "AWS_ACCESS_KEY_ID": self._key,
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }

    def allow(self, document: Mapping[str, Any]) -> None:
        """Replace the policy."""
        self._iam.put_user_policy(UserName=self.name, PolicyName="p", PolicyDocument=json.dumps(document))

    def run(self, *arguments: str, text: str = "") -> Result:
        """Run `feedbackctl` as this user, with `text` as its standard input."""
        return CliRunner(env=self._environment).invoke(main, [*arguments, "--stack", self._stack.name], input=text)

    def delete(self) -> None:
        """Delete the user."""
        self._iam.delete_user_policy(UserName=self.name, PolicyName="p")
        self._iam.delete_access_key(UserName=self.name, AccessKeyId=self._key)
        self._iam.delete_user(UserName=self.name)


def prepare(stack: StackUnderTest, command: str) -> dict[str, str]:
    """Bounce one address and store a message in each queue; return what the arguments of commands stand for."""
    bounced, sqs = stack.create_address("workload"), stack.client("sqs")
    if command.startswith(("contact", "list")) and "{other}" not in (READING | CHANGING)[command]:
        stack.client("sqs").send_message(
            QueueUrl=stack.outputs["BounceQueueUrl"],
            MessageBody=create_bounce(bounced, datetime.now(UTC), **HARD_BOUNCE),
        )
        assert wait_for(partial(stack.contact, bounced)).get("status") == "bounced"
    if command == "list reconcile":
        wait_for(partial(stack.contact, bounced), lambda contact: "synced" in contact)
        stack.client("sesv2").delete_suppressed_destination(EmailAddress=bounced)
    message = ""
    for queue in QUEUES if command.partition(" ")[0] in STORED else ():
        sent = sqs.send_message(
            QueueUrl=stack.outputs[queue], MessageBody=create_bounce(bounced, datetime.now(UTC), **HARD_BOUNCE)
        )
        message = message or sent["MessageId"]
    return {"bounced": bounced, "message": message, "other": stack.create_address("other")}


def run(stack: StackUnderTest, operator: Operator, command: str) -> Result:
    """Run a command on new contacts and messages. SES may throttle it, because the stack calls SES as well."""
    names = prepare(stack, command)
    arguments = [*command.split(), *(one.format(**names) for one in (READING | CHANGING)[command])]
    entry = {"EmailAddress": names["other"], "Reason": "BOUNCE", "LastUpdateTime": format_timestamp(datetime.now(UTC))}
    text = json.dumps({"SuppressedDestinationSummaries": [entry]})
    result = operator.run(*arguments, text=text)
    for _ in range(THROTTLED_ATTEMPTS):
        if "throttled" not in result.output:
            break
        result = operator.run(*arguments, text=text)
    return result
