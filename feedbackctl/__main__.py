"""`feedbackctl`, the operator's command line: `feedbackctl --help`."""

import click

from feedbackctl.lazy_group import LazyCommand
from feedbackctl.operator_group import OperatorGroup

COMMANDS = {
    "contact": LazyCommand("feedbackctl.commands.contact:contact", "Inspect and change contacts."),
    "list": LazyCommand(
        "feedbackctl.commands.list:suppression_list", "Compare the suppression list with the contacts, and repair it."
    ),
    "replay": LazyCommand("feedbackctl.commands.replay:replay", "Show the effect of feedback, without an AWS account."),
    "quarantine": LazyCommand(
        "feedbackctl.commands.queues:quarantine", "Inspect and redrive messages that could not be read."
    ),
    "dead-letters": LazyCommand(
        "feedbackctl.commands.queues:dead_letters", "Inspect and redrive messages that a lane could not process."
    ),
    "undelivered": LazyCommand(
        "feedbackctl.commands.queues:undelivered", "Inspect and redrive messages that SNS could not deliver."
    ),
    "redrive": LazyCommand("feedbackctl.commands.redrive:redrive", "Move the messages of a queue to another queue."),
    "doctor": LazyCommand("feedbackctl.commands.doctor:doctor", "Find the hop at which feedback stops, and its fix."),
    "contact-hash": LazyCommand(
        "feedbackctl.commands.contact_hash:contact_hash", "Print the hash of an address in the logs."
    ),
    "iam": LazyCommand("feedbackctl.commands.iam:iam", "Print least-privilege IAM policies for operators."),
    "smoke": LazyCommand("feedbackctl.commands.smoke:smoke", "Check a deployed stack with test email."),
    "local": LazyCommand("localaws.commands:local", "Run AWS services on this machine."),
    "demo": LazyCommand("localaws.commands:demo", "Show the whole stack on this machine."),
}


@click.group(
    cls=OperatorGroup,
    lazy_commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="ses-feedback", message="%(package)s %(version)s")
def main() -> None:
    """Operate ses-feedback: see the effect of feedback, correct contacts, check a stack."""


if __name__ == "__main__":
    main(prog_name="feedbackctl")
