"""Changing commands on a pseudo-terminal: confirmation, Ctrl-C in the middle of the work, and the next run."""

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.incident import WHERE

SESSION = Path(__file__).with_name("terminal_session.py")
READERS = 12
COMMAND = ("contact", "reinstate", "--where", *WHERE, "--reason", "DMARC")
CTRL_C = "\x03"
PATIENCE = 120.0


class Terminal:
    """The test's end of a pseudo-terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.screen = ""

    def wait_for(self, text: str, patience: float = PATIENCE) -> None:
        """Read until the text is on the screen."""
        assert self._appears(text, patience), self.screen
        self._seen, self.screen = self.screen.split(text, 1)

    def interrupt_until(self, text: str) -> None:
        """Press Ctrl-C until the text is on the screen.

        A signal that arrives just before the process begins to wait for a key has an effect only after the next key.
        """
        until = time.monotonic() + PATIENCE
        self.type(CTRL_C)
        while not self._appears(text, 2.0) and time.monotonic() < until:
            self.type(CTRL_C)
        self.wait_for(text, 0.0)

    def _appears(self, text: str, patience: float) -> bool:
        until = time.monotonic() + patience
        while text not in self.screen:
            readable, _, _ = select.select([self._descriptor], [], [], max(0.0, until - time.monotonic()))
            if not readable:
                return False
            try:
                self.screen += os.read(self._descriptor, 65_536).decode(errors="replace")
            except OSError:  # Linux reports the end of the other side as an error
                break
        return text in self.screen

    def type(self, text: str) -> None:
        """Type text."""
        os.write(self._descriptor, text.encode())


@contextmanager
def session(folder: Path, *command: str) -> Iterator[Terminal]:
    """Run the command twice on a terminal."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(  # noqa: S603 (this interpreter)
        [sys.executable, str(SESSION), str(READERS), *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"},
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def state(terminal: Terminal) -> dict[str, Any]:
    terminal.wait_for("STATE ")
    terminal.wait_for("}}")
    found: dict[str, Any] = json.loads(re.sub(r"\s+", " ", terminal._seen) + "}}")  # noqa: SLF001 (of this test)
    return found


def test_wrong_number_changes_nothing(tmp_path: Path) -> None:
    with session(tmp_path, *COMMAND) as terminal:
        for _ in range(2):
            terminal.wait_for(f"Type the number {READERS} to reinstate them")
            terminal.type("yes\n")
            terminal.wait_for("That is not the number. Nothing was changed.")
        left = state(terminal)
    assert left["statuses"]["bounced"] == READERS + 4
    assert left["operator_items"] == {"0": READERS + 5}


def test_operation_that_ctrl_c_interrupts_is_finished_by_the_next_run(tmp_path: Path) -> None:
    with session(tmp_path, *COMMAND) as terminal:
        terminal.wait_for(f"Type the number {READERS} to reinstate them")
        terminal.type(f"{READERS}\n")
        terminal.wait_for("WRITING")
        terminal.interrupt_until("Interrupted. Run the same command again to continue.")
        terminal.wait_for("is unfinished")
        terminal.wait_for("Continue it?")
        terminal.type("y\n")
        left = state(terminal)
    assert left["statuses"] == {"active": READERS, "bounced": 4, "complained": 1}
    assert left["operator_items"] == {"1": READERS, "0": 5}


def test_ctrl_c_at_the_question_changes_nothing(tmp_path: Path) -> None:
    with session(tmp_path, *COMMAND) as terminal:
        for _ in range(2):
            terminal.wait_for(f"Type the number {READERS} to reinstate them")
            terminal.interrupt_until("Interrupted.")
        left = state(terminal)
    assert left["operator_items"] == {"0": READERS + 5}
