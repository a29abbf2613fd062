"""Errors that end a command with exit code 1 and one message, without a traceback."""

import click


class OperatorError(click.ClickException):
    """A command failed. The message states the reason and what the operator can do."""
