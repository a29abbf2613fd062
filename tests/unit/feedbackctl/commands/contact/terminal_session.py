"""Run `feedbackctl` twice in one embedded AWS on a terminal, and print the state that is left.

The test types on the terminal. Arguments: the number of contacts of the incident, then the command.
"""

import fcntl
import itertools
import json
import signal
import sys
import termios
import time
from collections import Counter
from contextlib import redirect_stdout, suppress
from io import StringIO

from feedbackctl.__main__ import main
from feedbackctl.contacts import operations
from ses_feedback.contacts.repository import ContactRepository
from tests.support.incident import incident
from tests.support.operated_stack import OperatedStack, operated_stack

_write = ContactRepository.write
WRITES_BEFORE_INTERRUPTION = 7


writes = itertools.count(1)


def write_slowly(repository: ContactRepository, record: object) -> str | None:
    """Write a contact. After some writes, tell the test that it can interrupt the command, and give it time."""
    refusal = _write(repository, record)  # type: ignore[arg-type]
    if next(writes) == WRITES_BEFORE_INTERRUPTION:
        print("WRITING", flush=True)  # noqa: T201 (the test waits for it)
        time.sleep(10)
    return refusal


def report(stack: OperatedStack) -> dict[str, object]:
    """Return the statuses, and the operator's history items by contact."""
    contacts = [item["address"]["S"] for item in stack.aws.contacts()]
    items = {address: sum(name.startswith("operator#") for name in stack.records(address)) for address in contacts}
    return {"statuses": Counter(map(stack.status, contacts)), "operator_items": Counter(items.values())}


# A shell starts background jobs with this signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
operations.CHUNK = 5
with operated_stack(calls_per_second=None) as running:
    with redirect_stdout(StringIO()):
        running.receive(*incident(int(sys.argv[1])))
    ContactRepository.write = write_slowly  # type: ignore[method-assign,assignment]
    for number in (1, 2):
        print(f"run {number}", flush=True)  # noqa: T201 (the test waits for it)
        with suppress(SystemExit):
            main(sys.argv[2:], prog_name="feedbackctl")
    print("STATE " + json.dumps(report(running)), flush=True)  # noqa: T201
