"""Operators: the policies that `feedbackctl iam` prints allow what the commands need, and nothing that changes more."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

import pytest
from click.testing import CliRunner, Result

from feedbackctl.__main__ import main
from feedbackctl.permissions import COMMANDS, Resource, policy_document
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
    "contact erase": ("{other}", "--forget", *REASON, "--yes"),
    "quarantine redrive": ("--all", "--to", "bounce", "--yes"),
    "dead-letters redrive": ("--all", "--to", "bounce", "--yes"),
    "undelivered redrive": ("--all", "--to", "bounce", "--yes"),
    "smoke": ("--patience", "30"),
}
THROTTLED_ATTEMPTS = 5
QUEUES = ("QuarantineQueueUrl", "DeadLetterQueueUrl", "UndeliveredQueueUrl")


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


@pytest.fixture
def operator(stack: StackUnderTest, runner: CliRunner) -> Iterator[Operator]:
    """Return a user without permissions."""
    del runner  # it has set the environment
    user = Operator(stack, stack.server.environment)
    user.allow(policy_document(changes=False, arns={Resource.ANY: ("*",)}))
    yield user
    user.delete()
    # The commands leave messages, and other tests expect empty queues.
    assert stack.drain_lanes().keys() <= set(QUEUES)
    for queue in QUEUES:
        stack.client("sqs").purge_queue(QueueUrl=stack.outputs[queue])


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
    for queue in QUEUES if command.endswith(("redrive", "show")) else ():
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


def test_each_command_is_tried() -> None:
    assert READING.keys() == {name for name, declared in COMMANDS.items() if not declared.changes}
    assert CHANGING.keys() == {name for name, declared in COMMANDS.items() if declared.changes}


def test_every_reading_command_works_with_the_policy_for_reading(stack: StackUnderTest, operator: Operator) -> None:
    operator.allow(json.loads(CliRunner().invoke(main, ["iam", "read", "--stack", stack.name]).stdout))
    failed = {}
    for command in READING:
        result = run(stack, operator, command)
        # Doctor and the comparison of the list end with 1 if they find something to fix.
        accepted = (0, 1) if command in {"doctor", "list diff"} else (0,)
        if "does not allow" in result.output or result.exit_code not in accepted:
            failed[command] = result.output
    assert failed == {}


def test_no_changing_command_works_with_the_policy_for_reading(stack: StackUnderTest, operator: Operator) -> None:
    operator.allow(json.loads(CliRunner().invoke(main, ["iam", "read", "--stack", stack.name]).stdout))
    worked = {}
    for command in CHANGING:
        result = run(stack, operator, command)
        if result.exit_code == 0 or "does not allow" not in result.output:
            worked[command] = result.output
    assert worked == {}


def test_every_changing_command_works_with_the_policy_for_changes(stack: StackUnderTest, operator: Operator) -> None:
    operator.allow(json.loads(CliRunner().invoke(main, ["iam", "change", "--stack", stack.name]).stdout))
    results = {command: run(stack, operator, command) for command in CHANGING}
    assert {command: one.output for command, one in results.items() if one.exit_code != 0} == {}
