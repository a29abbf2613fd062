"""Errors that end a command with one message, without a traceback.

Exit codes of every command: 0 fine, 1 failing or refused, 2 usage (click's own), 3 the answer is unknown.
"""

import click

from feedbackctl.printable import printable_lines


class OperatorError(click.ClickException):
    """A command failed. The message states the reason and what the operator can do."""

    def format_message(self) -> str:
        """Return the message without control characters."""
        return printable_lines(self.message)


class UnknownResultError(OperatorError):
    """The command could not find out what was asked, for example because AWS did not answer."""

    exit_code = 3
