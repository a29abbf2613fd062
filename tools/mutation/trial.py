"""Try a mutant: run the tests of its room on it, in a process of its own, and see whether they notice.

The process is forked from this one, which has imported everything but what is on trial, so that a trial costs little
more than the tests it runs. It gets only so much processor time, for a mutant may go round in circles.
"""

import contextlib
import gc
import importlib
import io
import os
import resource
import sys
import time
from collections.abc import Sequence
from enum import Enum
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import NoReturn

import pytest

from tools.mutation.rooms import Room

# Without what only costs time here: nobody reads what pytest says. Nothing is written into the tree.
_PYTEST = (
    *("-x", "-q", "--tb=no", "--no-header", "--assert=plain", "--import-mode=importlib", "-o", "addopts="),
    *("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov"),
)
_ON_TRIAL = ("ses_feedback", "feedbackctl", "tests")


class Outcome(Enum):
    """What became of a mutant."""

    SURVIVED = 0
    KILLED = 1
    STILLBORN = 2
    """It can't even be imported: it needs no test to be noticed, and says nothing about the tests."""
    ENDLESS = 3
    """It was still running when its time was up: noticed."""


class Trials:
    """Trials of the mutants of one room after the other."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        """Import all that the tests of `rooms` need."""
        self.spent = 0.0
        """Seconds of processor time that the trials took so far: unlike the clock, it asks not who else is at work."""
        self._seconds = 60
        with contextlib.redirect_stdout(io.StringIO()) as said:
            code = _pytest("--collect-only", *(room.tests for room in rooms))
        if code:
            raise SystemExit(said.getvalue())

    def enter(self, room: Room) -> None:
        """Make ready for mutants of `room`: forget it and whatever imports it, and see that its tests pass as it is."""
        _forget(*_ON_TRIAL)
        importlib.import_module(f"ses_feedback.{room.name}")
        _forget(f"ses_feedback.{room.name}")
        gc.freeze()  # or every child would look through all of it
        begun = time.monotonic()
        if self.of(room, None) is not Outcome.SURVIVED:
            raise SystemExit(f"the tests of {room.name} fail before anything is wrong: see {room.tests}")
        self._seconds = 10 + 10 * round(time.monotonic() - begun)

    def of(self, room: Room, source: str | None) -> Outcome:
        """Return what becomes of `source` as `room`; None is the room as it is."""
        child = os.fork()
        if not child:
            _child(room, source, self._seconds)
        _, status, used = os.wait4(child, 0)
        self.spent += used.ru_utime + used.ru_stime
        return Outcome.ENDLESS if os.WIFSIGNALED(status) else Outcome(os.WEXITSTATUS(status))


def _child(room: Room, source: str | None, seconds: int) -> NoReturn:
    # Whatever happens, this process ends here and returns nowhere.
    outcome = Outcome.KILLED
    try:
        _silence()
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        if source is not None:
            sys.meta_path.insert(0, _Mutated(room.name, source))
        outcome = _outcome(room)
    finally:
        os._exit(outcome.value)


def _outcome(room: Room) -> Outcome:
    try:
        importlib.import_module(f"ses_feedback.{room.name}")
    except Exception:  # noqa: BLE001 (a mutant may raise anything)
        return Outcome.STILLBORN
    return Outcome.KILLED if _pytest(room.tests) else Outcome.SURVIVED


def _pytest(*arguments: str) -> int:
    return int(pytest.main([*_PYTEST, *arguments]))


def _forget(*names: str) -> None:
    for name in [one for one in sys.modules if one in names or one.partition(".")[0] in names]:
        del sys.modules[name]


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


class _Mutated(MetaPathFinder, Loader):
    """Imports a room as a mutant has it."""

    def __init__(self, room: str, source: str) -> None:
        self._name = f"ses_feedback.{room}"
        self._source = source

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Find the mutant, and leave everything else to others."""
        del path, target
        return spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the mutant's source."""
        exec(compile(self._source, f"<a mutant of {self._name}>", "exec"), vars(module))  # noqa: S102 (made here)
