"""`feedbackctl smoke`: check a deployed stack with email to the SES mailbox simulator."""

from typing import TYPE_CHECKING, Any

import click

from feedbackctl.errors import OperatorError
from feedbackctl.operator_options import Target, json_option, stack_options
from feedbackctl.terminal.output import Format, print_document

if TYPE_CHECKING:
    from feedbackctl.smoke.run import Check, SmokeTest


@click.command
@stack_options
@click.option(
    "--sender", metavar="ADDRESS", help="The sender's address. [default: an identity that is verified in SES]"
)
@click.option("--patience", metavar="SECONDS", default=180.0, show_default=True, help="Time limit of each check.")
@json_option
def smoke(target: Target, sender: str | None, patience: float, output_format: Format) -> None:
    """Check a deployed stack with email to the SES mailbox simulator, and print the result of each check.

    A run sends five emails, which do not count toward the bounce and complaint rates. It ends with a list of what it
    leaves behind: contacts of the simulator's addresses, with the label of the run, and metrics of their own. If the
    stack's parameter DeliveriesBy is Firehose, a run takes a quarter of an hour, because Firehose buffers deliveries.
    """
    from feedbackctl.smoke.run import REQUIRED_OUTPUTS, SmokeTest  # noqa: PLC0415 (`--help` does not import botocore)

    stack = target.find_stack()
    for output in REQUIRED_OUTPUTS:
        stack.output(output)
    test = SmokeTest(stack.outputs, stack.aws.client, patience)
    checks: list[Check] = []
    for check in test.run(sender):
        checks.append(check)
        if output_format is Format.TABLE:
            _print_check(check)
    if output_format is Format.JSON:
        print_document({"stack": stack.name, **_to_document(checks, test)})
    else:
        _print_left_behind(test)
    if failed := sum(not check.passed for check in checks):
        raise OperatorError(
            f"{failed} checks failed. `feedbackctl doctor --stack {stack.name}` finds the hop at which feedback stops."
        )


def _print_check(check: "Check") -> None:
    detail = f": {check.detail}" if check.detail else ""
    click.echo(f"  {'✓' if check.passed else '✗'} {check.name:<62}{check.seconds:6.1f} s{detail}")


def _print_left_behind(test: "SmokeTest") -> None:
    click.echo("\nLeft behind, and read by no application:")
    for each in test.list_left_behind():
        click.echo(f"  {each.kind:<8} {each.name} {each.place}")


def _to_document(checks: "list[Check]", test: "SmokeTest") -> dict[str, Any]:
    return {
        "checks": [check._asdict() for check in checks],
        "left_behind": [each._asdict() for each in test.list_left_behind()],
    }
