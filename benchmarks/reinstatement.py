"""Peak memory, time and calls of `feedbackctl contact reinstate --where` for many contacts.

    python -m benchmarks.reinstatement [--contacts 50000]

The command runs in a process of its own against an account in this process, and is killed once in the middle. The
result is checked: each contact of the incident is reinstated once, no other contact and no other list entry changes.
"""

import argparse
import sys
from collections.abc import Mapping

from benchmarks.peak_memory import Run, measure_command
from tests.support.account_server import STACK, Account, serving
from tests.support.incident import WHERE, bystanders, reader, rejection

COMMAND = (
    *(sys.executable, "-m", "feedbackctl", "contact", "reinstate", "--where", *WHERE),
    *("--stack", STACK, "--reason", "DMARC record was wrong", "--yes", "--json"),
)


def main() -> None:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=50_000)
    contacts = parser.parse_args().contacts
    account = Account()
    account.receive(event for events in bystanders().values() for event in events)
    others = account.statuses()
    account.receive(rejection(reader(number), number % 7_000) for number in range(contacts))
    with serving(account) as environment:
        runs = [run_and_kill(account, environment, contacts // 2), measure_command(COMMAND, environment)]
    check(account, contacts, others["bounced"])
    seconds, peak = sum(run.seconds for run in runs), max(run.megabytes for run in runs)
    print(
        f"{contacts:,} contacts in {seconds:,.0f} s, {contacts / seconds:,.0f} a second, peak {peak:,.0f} MB; "
        f"jobs of at most {max(account.jobs):,} addresses: {len(account.jobs)}; calls: {dict(account.calls)}"
    )


def run_and_kill(account: Account, environment: Mapping[str, str], reinstated: int) -> Run:
    """Run the command, and kill it once about this number of contacts is reinstated."""
    return measure_command(COMMAND, environment, lambda: account.calls["BatchExecuteStatement"] >= reinstated)


def check(account: Account, contacts: int, bounced: int) -> None:
    """Raise AssertionError unless exactly the contacts of the incident are reinstated, each once."""
    statuses, actions = account.statuses(), account.operator_items()
    assert statuses["active"] == contacts, statuses  # noqa: S101 (a check of the result, here and below)
    assert statuses["bounced"] == bounced, statuses  # noqa: S101
    assert actions[1] == contacts and set(actions) == {0, 1}, actions  # noqa: S101, PT018
    listed = {entry.email_address for entry in account.suppression_list.entries()}
    assert not any(address.startswith("reader-") for address in listed)  # noqa: S101
    assert not account.objects, "an object with addresses is left"  # noqa: S101


if __name__ == "__main__":
    main()
