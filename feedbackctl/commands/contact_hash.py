"""`feedbackctl contact-hash`: the hash that stands for a contact in the logs."""

import click

from feedbackctl.errors import OperatorError
from feedbackctl.operator_options import Target, stack_options
from ses_feedback.address import AddressError, parse_address
from ses_feedback.processing.results import contact_hash as hash_contact


@click.command("contact-hash")
@click.argument("address")
@stack_options
def contact_hash(address: str, target: Target) -> None:
    """Print the hash that stands for ADDRESS in the logs of the stack.

    A log line about a record has the hashes of its contacts in `contacts`. Each stack has other hashes. This command
    reads the id of the stack and nothing else.
    """
    try:
        key = parse_address(address).key
    except AddressError as error:
        raise OperatorError(f"{error}; give the bare address, as in someone@example.com") from None
    click.echo(hash_contact(key, target.find_stack().arn))
