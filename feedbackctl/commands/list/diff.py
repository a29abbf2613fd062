"""`feedbackctl list diff`: the suppression list compared with the contacts."""

import click

from feedbackctl.commands.list import difference_report
from feedbackctl.commands.list.difference_report import print_comparison
from feedbackctl.contacts.list_entries import read_account_list
from feedbackctl.list_comparison.differences import Comparison, compare
from feedbackctl.operator_options import Target, json_option, stack_options
from feedbackctl.terminal.output import Format, print_document
from feedbackctl.terminal.progress import show_progress

JSON_FIELDS = difference_report.JSON_FIELDS
_DIFFERENT = 1


@click.command
@json_option
@stack_options
def diff(target: Target, output_format: Format) -> int:
    """Compare the SES suppression list with the contacts, in both directions. Nothing is changed.

    All entries are read, 1,000 in a call, at the rate of the stack's calls: a million in about 17 minutes. The exit
    code is 1 if `list reconcile` would repair something.
    """
    stack = target.find_stack()
    account = read_account_list(stack)
    comparison = Comparison()
    try:
        with show_progress("Comparing") as advance:
            for _ in compare(stack, comparison, advance):
                pass
    finally:
        comparison.close()
    if output_format is Format.JSON:
        reasons = None if account.suppressed_reasons is None else list(account.suppressed_reasons)
        print_document({"suppressed_reasons": reasons, **comparison.as_json()})
    else:
        print_comparison(account, comparison)
    return _DIFFERENT if comparison.repairs else 0
