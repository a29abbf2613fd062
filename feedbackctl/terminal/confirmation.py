"""Confirmation of a change before it is made."""

import sys

import click

from feedbackctl.errors import OperatorError


def confirm(question: str, *, yes: bool) -> None:
    """Ask `question` on standard error, unless `yes` is True.

    Raises:
        OperatorError: the answer is no, or no terminal can answer.

    """
    if yes:
        return
    _require_terminal()
    if not click.confirm(question, err=True):
        raise OperatorError("Nothing was changed.")


def confirm_count(count: int, effect: str, *, yes: bool) -> None:
    """Ask for the number of contacts that change, unless `yes` is True.

    Raises:
        OperatorError: another text was typed, or no terminal can answer.

    """
    if yes:
        return
    _require_terminal()
    typed = click.prompt(f"Type the number {count} to {effect}", default="", show_default=False, err=True)
    if typed.strip().replace(",", "") != str(count):
        raise OperatorError("That is not the number. Nothing was changed.")


def _require_terminal() -> None:
    if not sys.stdin.isatty():
        raise OperatorError(
            "This change asks for confirmation, but standard input is not a terminal. Nothing was changed. Give "
            "--yes to confirm in a script."
        )
