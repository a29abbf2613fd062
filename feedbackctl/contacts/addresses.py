"""Addresses that the operator gives, as arguments or on standard input."""

import sys
from collections.abc import Iterable, Iterator

import click

from ses_feedback.address import Address, AddressError, parse_address

STANDARD_INPUT = "-"


def parse_argument(text: str) -> Address:
    """Return the address in `text`.

    Raises:
        UsageError: there is not exactly one usable address. The message does not repeat the text.

    """
    try:
        return parse_address(text)
    except AddressError as error:
        raise click.UsageError(f"{error}; give the bare address, as in someone@example.com") from None


def read_addresses(arguments: Iterable[str]) -> list[Address]:
    """Return the addresses in the arguments, each contact once. `-` stands for the lines of standard input.

    Raises:
        UsageError: a text is not an address. For a line the message has its number.

    """
    found: dict[str, Address] = {}
    for argument in arguments:
        for address in _read_lines() if argument == STANDARD_INPUT else [parse_argument(argument)]:
            found.setdefault(address.key, address)
    return list(found.values())


def _read_lines() -> Iterator[Address]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip()
        if text:
            try:
                yield parse_address(text)
            except AddressError as error:
                raise click.UsageError(f"line {number} of standard input: {error}") from None
