"""A run of the demo: it deploys the stack, sends emails, waits for the results and shows them."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from localaws.demo.recipients import create_recipients, expected_status
from localaws.demo.screen import Screen, create_console, save_svg
from localaws.demo.stack_readings import PublishedEvents, read_metrics, read_reports
from localaws.deployment import sam_cli
from localaws.deployment.deployed_stack import DeployedStack
from localaws.deployment.running_server import LocalAwsError
from localaws.deployment.server_process import LocalAws
from ses_feedback.client import Contacts, Preferences

_NEWSLETTER = "newsletter"
"""The stream that the local stack declares (samconfig.toml)."""
_TIMEOUT_SECONDS, _LOG_TIMEOUT_SECONDS = 120.0, 60.0

Contact = dict[str, Any]


def run_demo(local_aws: LocalAws, svg: Path | None) -> None:
    """Deploy the stack, run the demo, and write its output to the file `svg` unless that is None.

    Raises:
        LocalAwsError: the deployment or the demo failed.

    """
    console = create_console(record=svg is not None)
    Demo(deploy_stack(local_aws, console), console).run()
    console.print("  The stack is still running. [bold]feedbackctl local status[/bold] shows its address,")
    console.print("  [bold]feedbackctl local down[/bold] stops it.")
    if svg is not None:
        save_svg(console, svg)


def deploy_stack(local_aws: LocalAws, console: Console) -> DeployedStack:
    """Start the local AWS if it is not running, build and deploy the template, and verify the sender.

    Raises:
        LocalAwsError: one of these steps failed.

    """
    started_at = time.monotonic()

    def report_step(description: str) -> None:
        nonlocal started_at
        seconds = time.monotonic() - started_at
        console.print(f"  [green]✓[/green] {description:60} {seconds:5.1f} s", highlight=False)
        started_at = time.monotonic()

    with console.status("starting the AWS emulator"):
        server = local_aws.start()
    report_step("AWS emulator on this machine")
    with console.status("sam build (about a minute the first time)"):
        sam_cli.build(local_aws)
    report_step("sam build")
    with console.status("sam deploy --config-env local"):
        stack = sam_cli.deploy(local_aws, server)
    report_step(f"sam deploy: {len(stack.resources())} resources of template.yaml, IAM enforced")
    stack.verify_sender()
    return stack


class Demo:
    """One run. Everything that it shows was read from the local AWS."""

    def __init__(self, stack: DeployedStack, console: Console) -> None:
        """Send emails through `stack`."""
        self._stack = stack
        self._console = console
        self._started_at = datetime.now(UTC)
        self._recipients = create_recipients(f"{int(self._started_at.timestamp()) % 1_000_000:06d}")
        self._events = PublishedEvents(stack, f"demo-{self._recipients.run}")

    def run(self) -> None:
        """Send two rounds of emails, wait for their results, and show them.

        Raises:
            LocalAwsError: a result is missing after two minutes.

        """
        everyone, suppressed = self._recipients.all, self._recipients.suppressed
        count = TextColumn("{task.completed:>3.0f} of {task.total:.0f}")
        columns = (TextColumn("  {task.description:36}"), BarColumn(22), count, TimeElapsedColumn())
        with Progress(*columns, console=self._console) as progress:
            self._send(progress, "emails sent through SES", everyone, "Our news")
            self._wait_for(progress, "contacts with the expected status", everyone, _has_expected_status)
            self._wait_for(progress, "entries on the SES suppression list", suppressed, _is_synced)
            contacts = self._stack.contacts()
            self._send(progress, "second emails to suppressed contacts", suppressed, "Our news again")
            self._wait_for(progress, "second reports from SES", suppressed, self._has_two_reports)
            self._leave_newsletter(progress)
        self._wait_for_metrics()
        self._show(contacts)

    def _send(self, progress: Progress, description: str, addresses: tuple[str, ...], subject: str) -> None:
        for address in progress.track(addresses, description=description):
            self._stack.send_email(address, subject=subject)

    def _wait_for(
        self, progress: Progress, description: str, addresses: tuple[str, ...], is_done: Callable[[Contact], bool]
    ) -> None:
        task = progress.add_task(description, total=len(addresses))
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while True:
            contacts = self._stack.contacts()
            done = sum(address in contacts and is_done(contacts[address]) for address in addresses)
            progress.update(task, completed=done)
            if done == len(addresses):
                return
            if time.monotonic() > deadline:
                count = f"only {done} of {len(addresses)} in {_TIMEOUT_SECONDS:.0f} s"
                raise LocalAwsError(f"{description}: {count}; see .local/aws.log")
            time.sleep(0.3)

    def _leave_newsletter(self, progress: Progress) -> None:
        """Report the opt-out of a reader as an application does, then send a receipt to the reader."""
        reader = (self._recipients.reader,)
        preferences = Preferences(self._stack.outputs["ComplaintQueueUrl"], client=self._stack.client("sqs"))
        for address in progress.track(reader, description="opt-outs sent by the application"):
            preferences.unsubscribe(address, stream=_NEWSLETTER, reason="demo")
        self._wait_for(progress, "contacts without newsletter", reader, _has_left_newsletter)
        self._send(progress, "receipts sent", reader, "Your receipt")
        self._wait_for(progress, "receipts delivered", reader, _has_delivery)

    def _answers(self) -> dict[str, bool]:
        """Return the answers to an application that asks whether it may send to the reader."""
        reader = self._recipients.reader
        contacts = Contacts(self._stack.outputs["ContactsTableName"], client=self._stack.client("dynamodb"))
        return {
            "newsletter": contacts.may_send(reader, stream=_NEWSLETTER),
            "receipt": contacts.may_send_transactional(reader),
        }

    def _wait_for_metrics(self) -> None:
        """Wait until the metrics are complete. They come from log lines, which a function writes when it ends.

        Emails to the mailbox simulator have metrics of their own.
        """
        suppressed = f"{len(self._recipients.suppressed)}"
        expected = {"ContactSuppressed": suppressed, "SuppressionEcho": suppressed}
        deadline = time.monotonic() + _LOG_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if expected.items() <= read_metrics(self._stack, self._started_at).items():
                return
            time.sleep(0.3)

    def _has_two_reports(self, contact: Contact) -> bool:
        return len(read_reports(self._stack, contact["address"]["S"])) > 1

    def _show(self, contacts: dict[str, Contact]) -> None:
        """Print the results."""
        recipients = self._recipients
        others = Counter(contacts[address]["status"]["S"] for address in recipients.deliverable)
        listed = [entry for entry in self._stack.suppression_list() if entry["EmailAddress"] in recipients.all]
        reports = {address: read_reports(self._stack, address) for address in recipients.suppressed}
        metrics = read_metrics(self._stack, self._started_at)
        self._console.print()
        screen = Screen(self._console, recipients.run)
        screen.show_contacts([contacts[address] for address in recipients.remarkable], others)
        screen.show_suppression_list(listed)
        screen.show_reports(reports)
        screen.show_reader(self._stack.contacts()[recipients.reader], self._answers())
        screen.show_metrics(metrics, self._events.count_and_remove())


def _has_expected_status(contact: Contact) -> bool:
    return bool(contact["status"]["S"] == expected_status(contact["address"]["S"]))


def _has_left_newsletter(contact: Contact) -> bool:
    return any(name["S"] == _NEWSLETTER for name in contact.get("no_streams", {"L": []})["L"])


def _has_delivery(contact: Contact) -> bool:
    return "delivered" in contact


def _is_synced(contact: Contact) -> bool:
    return "synced" in contact
