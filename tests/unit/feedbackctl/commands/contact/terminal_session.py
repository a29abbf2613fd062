"""Run `feedbackctl` twice in one embedded AWS on a terminal, and print the state that is left.

The test types on the terminal. Each session is forked from a process that has prepared the stack (`forkserver`): the
imports and the feedback take longer than the commands.
"""

import fcntl
import itertools
import json
import os
import signal
import sys
import termios
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from importlib import import_module
from io import StringIO
from types import FrameType
from typing import Any

from botocore import handlers

from feedbackctl.__main__ import main
from feedbackctl.contact_import import plan
from feedbackctl.contacts import operations
from feedbackctl.queues import STORED
from ses_feedback.contacts.record import ContactRecord
from ses_feedback.contacts.repository import ContactRepository
from tests.support.incident import reader
from tests.support.operated_stack import OperatedStack

PREPARED = "tests.unit.feedbackctl.commands.contact.prepared_stack"
"""The module with the stack. Only the sessions import it."""
READERS = 12
WRITES = frozenset({"BatchWriteItem", "DeleteItem", "DeleteMessage", "DeleteSuppressedDestination", "SendMessage"})
"""Calls that change something, beside the writes of contacts."""
_write = ContactRepository.write_all
_numbers: Iterator[int] = itertools.repeat(0)
_interrupted = 0
_resumed = threading.Event()


def pause() -> None:
    """At one write, tell the test that it can interrupt the command, and give it time."""
    if next(_numbers) == _interrupted > 0:
        print("WRITING", flush=True)  # noqa: T201 (the test waits for it)
        _resumed.wait(4)


def interrupt(number: int, frame: FrameType | None) -> None:
    """End the pause, which may be in another thread than the command, and interrupt the command."""
    _resumed.set()
    signal.default_int_handler(number, frame)


def write_slowly(repository: ContactRepository, records: Iterable[ContactRecord]) -> dict[str, str]:
    """Write contacts, and pause after each."""
    refused: dict[str, str] = {}
    for record in records:
        refused |= _write(repository, [record])
        pause()
    return refused


def pause_after_call(model: Any, **_: Any) -> None:  # noqa: ANN401 (botocore's event)
    """Pause after a call that changes something."""
    if model.name in WRITES:
        pause()


def process_lane(stack: OperatedStack) -> None:
    """Process the messages that were moved to the complaint lane."""
    sqs, queue = stack.aws.client("sqs"), {"QueueUrl": stack.queues["ComplaintQueueUrl"]}
    while messages := sqs.receive_message(**queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            stack.receive(json.loads(message["Body"]))
            sqs.delete_message(**queue, ReceiptHandle=message["ReceiptHandle"])


def waiting(stack: OperatedStack) -> dict[str, int]:
    """Return the numbers of messages in the queues for an operator."""
    sqs, name = stack.aws.client("sqs"), "ApproximateNumberOfMessages"
    return {
        queue: int(sqs.get_queue_attributes(QueueUrl=stack.queues[url], AttributeNames=[name])["Attributes"][name])
        for queue, url in STORED.items()
    }


def report(stack: OperatedStack) -> dict[str, object]:
    """Return the statuses, the numbers of history items by contact, the queues and the length of the list."""
    contacts = [item["address"]["S"] for item in stack.aws.contacts()]
    records = {address: stack.records(address) for address in contacts}

    def count(prefix: str) -> Counter[int]:
        return Counter(sum(name.startswith(prefix) for name in names) for names in records.values())

    return {
        "statuses": Counter(map(stack.status, contacts)),
        "operator_items": count("operator#"),
        "feedback_items": count("feedback#"),
        "waiting": waiting(stack),
        "listed": len(stack.listed()),
    }


def use_terminal(path: str) -> None:
    """Make the terminal with this path the controlling one of this process, and its standard input and output."""
    os.setsid()
    descriptor = os.open(path, os.O_RDWR)
    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)
    for number in range(3):
        os.dup2(descriptor, number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
    os.environ["TERM"] = "xterm"


def run_session(terminal: str, folder: str, interrupted: int, unlisted: int, command: Sequence[str]) -> None:
    """Run the command twice on the terminal with this path. It pauses at the write with the number `interrupted`.

    So many readers as `unlisted` are not on the suppression list, although their contacts require it.
    """
    global _numbers, _interrupted
    use_terminal(terminal)
    os.chdir(folder)
    # A shell starts background jobs with this signal ignored.
    signal.signal(signal.SIGINT, interrupt)
    operations.CHUNK = 5
    plan.BATCH = 5
    handlers.BUILTIN_HANDLERS.append(("after-call", pause_after_call))
    stack = import_module(PREPARED).STACK
    for number in range(unlisted):
        stack.aws.suppression_list.delete(reader(number))
    _numbers, _interrupted = itertools.count(1), interrupted
    ContactRepository.write_all = write_slowly  # type: ignore[method-assign,assignment]
    for number in (1, 2):
        print(f"run {number}", flush=True)  # noqa: T201 (the test waits for it)
        with suppress(SystemExit):
            main(command, prog_name="feedbackctl")
    ContactRepository.write_all = _write  # type: ignore[method-assign]
    with redirect_stdout(StringIO()):
        process_lane(stack)
        stack.sync()
    print("STATE " + json.dumps(report(stack)) + " END", flush=True)  # noqa: T201
