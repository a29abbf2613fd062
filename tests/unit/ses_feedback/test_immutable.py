"""No object of an immutable class can be changed at run time."""

import dataclasses
import inspect
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest
from msgspec import Struct
from pydantic import BaseModel, ValidationError

import ses_feedback
from ses_feedback.address import Address
from ses_feedback.immutable import replace

MUTABLE = {"MetricCounts", "SyncReport", "_JudgedRecord", "_Work"}
"""Dataclasses that accumulate results while a batch is processed."""


def own_classes() -> Iterator[type[Any]]:
    for module in walk_packages(ses_feedback.__path__, "ses_feedback."):
        for _, found in inspect.getmembers(import_module(module.name), inspect.isclass):
            if found.__module__ == module.name:
                yield found


CLASSES = sorted(own_classes(), key=lambda found: (found.__module__, found.__qualname__))
STRUCTS = [found for found in CLASSES if issubclass(found, Struct)]
DATACLASSES = [found for found in CLASSES if dataclasses.is_dataclass(found)]
MODELS = [found for found in CLASSES if issubclass(found, BaseModel)]


@pytest.mark.parametrize("struct", STRUCTS)
def test_assigning_any_field_of_a_struct_raises(struct: type[Any]) -> None:
    made = struct(*struct.__struct_fields__)
    for name in struct.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(made, name, "other")
        with pytest.raises(TypeError):
            object.__setattr__(made, name, "other")
        with pytest.raises(AttributeError):
            delattr(made, name)
    with pytest.raises(AttributeError):
        made.undeclared = "other"


@pytest.mark.parametrize("model", MODELS)
def test_assigning_any_field_of_an_ses_event_raises(model: type[BaseModel]) -> None:
    made = model.model_construct()
    for name in model.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(made, name, "other")


def test_every_dataclass_is_frozen_except_the_listed_accumulators() -> None:
    frozen = {found for found in DATACLASSES if found.__setattr__ is not object.__setattr__}
    assert {found.__name__ for found in DATACLASSES if found not in frozen} == MUTABLE


def test_the_classes_were_found() -> None:
    assert (len(STRUCTS) >= 20, len(MODELS) >= 20, Address in STRUCTS) == (True, True, True)


def test_replace_returns_a_changed_copy() -> None:
    address = Address("a@example.com", "A@example.com")
    assert replace(address, variant="a@example.com") == Address("a@example.com", "a@example.com")
    assert address == Address("a@example.com", "A@example.com")


def test_replace_of_an_unknown_field_raises() -> None:
    with pytest.raises(TypeError):
        replace(Address("a@example.com", "a@example.com"), unknown="")  # type: ignore[call-arg]
