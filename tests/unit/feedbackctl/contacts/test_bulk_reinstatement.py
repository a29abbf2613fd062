"""`contact reinstate --where` in a process of its own, killed in the middle: nothing is lost, nothing happens twice.

`python -m benchmarks.reinstatement` does the same with 50,000 contacts, and prints peak memory and rate.
"""

import subprocess

from benchmarks.reinstatement import COMMAND, check, run_and_kill
from feedbackctl.contacts.bulk_reinstatement import JOB_THRESHOLD
from feedbackctl.contacts.operations import CHUNK
from tests.support.account_server import Account, serving
from tests.support.incident import bystanders, reader, rejection

READERS = CHUNK + 20
"""Two chunks, and enough for jobs."""


def test_killed_operation_is_finished_by_the_same_command() -> None:
    assert READERS > JOB_THRESHOLD
    account = Account()
    account.receive(event for events in bystanders().values() for event in events)
    others = account.statuses()
    account.receive(rejection(reader(number), number) for number in range(READERS))
    with serving(account) as environment:
        run_and_kill(account, environment, 100)
        assert 0 < account.statuses()["active"] < READERS
        again = subprocess.run(COMMAND, env=environment, check=True, capture_output=True, text=True)  # noqa: S603 (this interpreter)
    check(account, READERS, others["bounced"])
    assert "is unfinished" in again.stderr
    assert all(size <= READERS for size in account.jobs)
