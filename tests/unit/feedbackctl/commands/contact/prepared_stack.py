"""A stack with contacts, and with messages that wait for an operator, prepared when this module is imported.

The process that the terminal sessions are forked from imports it once. Each session gets its copy of the stack.
"""

import json
from contextlib import ExitStack, redirect_stdout
from io import StringIO

from feedbackctl.queues import STORED
from tests.support.incident import incident, reader, rejection
from tests.support.operated_stack import OperatedStack, operated_stack
from tests.unit.feedbackctl.commands.contact.terminal_session import READERS

_until_the_end = ExitStack()


def _store_messages(stack: OperatedStack, first: int) -> None:
    """Store the bounce of one reader, from number `first` on, in each queue for an operator, four more in one."""
    sqs = stack.aws.client("sqs")
    for number, output in enumerate([*STORED.values(), *[next(iter(STORED.values()))] * 4], first):
        sqs.send_message(QueueUrl=stack.queues[output], MessageBody=json.dumps(rejection(reader(number), number)))


def _prepare() -> OperatedStack:
    stack = _until_the_end.enter_context(operated_stack(calls_per_second=None))
    with redirect_stdout(StringIO()):
        stack.receive(*incident(READERS))
    _store_messages(stack, READERS)
    return stack


STACK = _prepare()
