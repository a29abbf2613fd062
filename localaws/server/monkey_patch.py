"""Replacing functions of ministack in place."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class PatchError(Exception):
    """ministack has changed. The message names the missing function."""


class Patch(NamedTuple):
    """A function to replace: its module and name. `wrap` receives the original and returns the replacement."""

    module: Any
    name: str
    wrap: Callable[[Any], Any]


def apply_patches(patches: Iterable[Patch]) -> None:
    """Apply every patch.

    Raises:
        PatchError: this version of ministack does not have a function that a patch replaces.

    """
    for module, name, wrap in patches:
        original = getattr(module, name, None)
        if original is None:
            raise PatchError(
                f"This ministack has no {module.__name__}.{name}: pin the version in requirements/local.in"
            )
        setattr(module, name, wrap(original))
