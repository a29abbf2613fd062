"""Changing commands on a pseudo-terminal: confirmation, Ctrl-C in the middle of the work, and the next run."""

import json
import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from tests.support.incident import WHERE, reader
from tests.unit.feedbackctl.commands.contact.terminal_session import PREPARED, READERS, run_session

SESSIONS = get_context("forkserver")
SESSIONS.set_forkserver_preload([PREPARED])
COMMAND = ("contact", "reinstate", "--where", *WHERE, "--reason", "DMARC")
CTRL_C = "\x03"
PATIENCE = 120.0
BEFORE_KEY = 0.05
"""Seconds after which a process that has printed a question waits for a key."""


class Terminal:
    """The test's end of a pseudo-terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.screen, self.seen = "", ""

    def wait_for(self, text: str, patience: float = PATIENCE) -> None:
        """Read until the text is on the screen. What was before it is `seen`."""
        assert self._appears(text, patience), self.screen
        self.seen, self.screen = self.screen.split(text, 1)

    def interrupt_until(self, text: str) -> None:
        """Press Ctrl-C until the text is on the screen.

        A signal that arrives just before the process begins to wait for a key has an effect only after the next key.
        """
        until = time.monotonic() + PATIENCE
        time.sleep(BEFORE_KEY)
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
def session(folder: Path, *command: str, write: int = 7, unlisted: int = 0) -> Iterator[Terminal]:
    """Run the command twice on a terminal. It pauses at the write with this number.

    So many readers as `unlisted` are not on the suppression list, although their contacts require it.
    """
    ours, theirs = os.openpty()
    arguments = os.ttyname(theirs), str(folder), write, unlisted, command
    process = SESSIONS.Process(target=run_session, args=arguments)
    process.start()
    try:
        yield Terminal(ours)
        process.join(PATIENCE)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()
        os.close(theirs)
        os.close(ours)


def state(terminal: Terminal) -> dict[str, Any]:
    terminal.wait_for("STATE ")
    terminal.wait_for(" END")
    found: dict[str, Any] = json.loads(re.sub(r"\s+", " ", terminal.seen))
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


# Facts of an operator

ADDRESSES = [reader(number) for number in range(READERS)]
REASON = ("--reason", "by post")
OTHERS = {"bounced": 4, "complained": 1}


@pytest.mark.parametrize(
    ("command", "statuses"),
    [
        (("suppress",), {"bounced": READERS + 4, "complained": 1}),
        (("unsubscribe",), {"bounced": READERS + 4, "complained": 1}),
        (("unsubscribe", "--stream", "newsletter"), {"bounced": READERS + 4, "complained": 1}),
    ],
    ids=" ".join,
)
def test_change_that_ctrl_c_interrupts_is_finished_by_the_next_run(
    tmp_path: Path, command: tuple[str, ...], statuses: dict[str, int]
) -> None:
    """Each contact has one item of the action in its history, although some were changed by the first run."""
    name = command[0]
    with session(tmp_path, "contact", *command, *ADDRESSES, *REASON) as terminal:
        terminal.wait_for(f"Change {READERS} contacts ({name})?")
        terminal.type("y\n")
        terminal.wait_for("WRITING")
        terminal.interrupt_until("Interrupted. Run the same command again to continue.")
        terminal.wait_for(f"Change {READERS} contacts ({name})?")
        terminal.type("y\n")
        left = state(terminal)
    assert (left["statuses"], left["operator_items"]) == (statuses, {"1": READERS, "0": 5})


def test_reinstatement_that_ctrl_c_interrupts_is_finished_by_the_next_run(tmp_path: Path) -> None:
    with session(tmp_path, "contact", "reinstate", *ADDRESSES, *REASON) as terminal:
        terminal.wait_for(f"Reinstate {READERS} contacts?")
        terminal.type("y\n")
        terminal.wait_for("WRITING")
        terminal.interrupt_until("Interrupted. Run the same command again to continue.")
        terminal.wait_for(f"Reinstate {READERS} contacts?")
        terminal.type("y\n")
        left = state(terminal)
    assert left["statuses"] == {"active": READERS, **OTHERS}
    assert left["operator_items"] == {"1": READERS, "0": 5}


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (("contact", "reinstate", *ADDRESSES, *REASON), f"Reinstate {READERS} contacts?"),
        (("contact", "suppress", *ADDRESSES, *REASON), "(suppress)?"),
        (("contact", "unsubscribe", *ADDRESSES, *REASON), "(unsubscribe)?"),
        (("contact", "erase", ADDRESSES[0], *REASON), "Erase the history of the contact?"),
        (("contact", "erase", ADDRESSES[0], "--forget", *REASON), "Erase the contact and its list entry?"),
        (("quarantine", "redrive", "--all"), "Move all messages of quarantine to the complaint lane?"),
        (("dead-letters", "redrive", "--all"), "Move all messages of dead-letters"),
        (("undelivered", "redrive", "--all"), "Move all messages of undelivered"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:2]),
)
def test_command_that_is_not_confirmed_changes_nothing(tmp_path: Path, command: tuple[str, ...], question: str) -> None:
    with session(tmp_path, *command) as terminal:
        terminal.wait_for(question)
        terminal.type("n\n")
        terminal.wait_for("Nothing was changed.")
        terminal.wait_for(question)
        terminal.interrupt_until("Interrupted.")
        left = state(terminal)
    assert (left["operator_items"], left["feedback_items"]) == ({"0": READERS + 5}, {"1": READERS + 3, "2": 2})
    assert (left["waiting"], left["listed"]) == (WAITING, READERS + 5)


def test_resubscription_that_ctrl_c_interrupts_is_stored_once(tmp_path: Path) -> None:
    """One person's own request: it is not asked for."""
    with session(tmp_path, "contact", "resubscribe", ADDRESSES[0], *REASON, write=1) as terminal:
        terminal.wait_for("WRITING")
        terminal.interrupt_until("Interrupted.")
        left = state(terminal)
    assert left["operator_items"] == {"1": 1, "0": READERS + 4}


@pytest.mark.parametrize("write", [0, 1])
def test_erasure_that_ctrl_c_interrupts_is_finished_by_the_next_run(tmp_path: Path, write: int) -> None:
    with session(tmp_path, "contact", "erase", ADDRESSES[0], *REASON, write=write) as terminal:
        terminal.wait_for("Erase the history of the contact?")
        terminal.type("y\n")
        if write == 1:
            terminal.wait_for("WRITING")
            terminal.interrupt_until("Interrupted.")
        terminal.wait_for("Erase the history of the contact?")
        terminal.type("y\n")
        left = state(terminal)
    assert left["statuses"] == {"bounced": READERS + 4, "complained": 1}
    assert (left["operator_items"], left["feedback_items"]["0"]) == ({"1": 1, "0": READERS + 4}, 1)


@pytest.mark.parametrize("write", [1, 2, 3])
def test_forgetting_that_ctrl_c_interrupts_is_finished_by_the_next_run(tmp_path: Path, write: int) -> None:
    """The list entry goes first: the contact still protects the address if the command ends there."""
    with session(tmp_path, "contact", "erase", ADDRESSES[0], "--forget", *REASON, write=write) as terminal:
        terminal.wait_for("Erase the contact and its list entry?")
        terminal.type("y\n")
        terminal.wait_for("WRITING")
        terminal.interrupt_until("Interrupted.")
        terminal.wait_for("Erase the contact and its list entry?")
        terminal.type("y\n")
        left = state(terminal)
    assert (left["statuses"], left["listed"]) == ({"bounced": READERS + 3, "complained": 1}, READERS + 4)


# Messages that wait for an operator

WAITING = {"quarantine": 5, "dead-letters": 1, "undelivered": 1}


@pytest.mark.parametrize(
    ("queue", "write"), [("quarantine", 3), ("quarantine", 4), ("dead-letters", 1), ("undelivered", 2)]
)
def test_redrive_that_ctrl_c_interrupts_is_finished_by_the_next_run(tmp_path: Path, queue: str, write: int) -> None:
    """A message that was sent and not yet deleted is sent again, and its feedback changes nothing the second time."""
    with session(tmp_path, queue, "redrive", "--all", write=write) as terminal:
        terminal.wait_for("To   ")
        terminal.wait_for(f"Move all messages of {queue} to the complaint lane?")
        terminal.type("y\n")
        terminal.wait_for("WRITING")
        terminal.interrupt_until("Interrupted.")
        terminal.wait_for(f"Move all messages of {queue} to the complaint lane?")
        terminal.type("y\n")
        left = state(terminal)
    moved = WAITING[queue]
    assert left["waiting"] == {**WAITING, queue: 0}
    assert left["statuses"] == {"bounced": READERS + 4 + moved, "complained": 1}
    assert left["feedback_items"] == {"1": READERS + 3 + moved, "2": 2}


# Imports

IMPORTED = 12


def an_import(folder: Path) -> tuple[str, ...]:
    """Return the command that imports a file with complaints of strangers."""
    rows = "".join(f"stranger-{number}@example.org,2024-03-01\n" for number in range(IMPORTED))
    (folder / "complaints.csv").write_text("address,created_at\n" + rows)
    return ("contact", "import", "complaints.csv", "--reason", "moved")


def test_import_with_a_wrong_number_changes_nothing(tmp_path: Path) -> None:
    with session(tmp_path, *an_import(tmp_path)) as terminal:
        for _ in range(2):
            terminal.wait_for(f"Type the number {IMPORTED} to import them")
            terminal.type("y\n")
            terminal.wait_for("That is not the number. Nothing was changed.")
        left = state(terminal)
    assert left["operator_items"] == {"0": READERS + 5}


def test_import_that_ctrl_c_interrupts_is_finished_by_the_next_run(tmp_path: Path) -> None:
    with session(tmp_path, *an_import(tmp_path)) as terminal:
        terminal.wait_for(f"Type the number {IMPORTED} to import them")
        terminal.type(f"{IMPORTED}\n")
        terminal.wait_for("WRITING")
        terminal.interrupt_until("Interrupted. Run the same command again to continue.")
        terminal.wait_for("is unfinished. It is continued.")
        terminal.wait_for("Type the number ")
        terminal.wait_for(" to import them")
        terminal.type(f"{terminal.seen}\n")
        left = state(terminal)
    assert left["statuses"]["complained"] == IMPORTED + 1
    assert left["operator_items"] == {"1": IMPORTED, "0": READERS + 5}


# Repair of the suppression list

RECONCILE = ("list", "reconcile", "--apply", "--reason", "drift")


def test_repair_with_a_wrong_number_changes_nothing(tmp_path: Path) -> None:
    with session(tmp_path, *RECONCILE, unlisted=READERS) as terminal:
        terminal.wait_for(f"Type the number {READERS} to repair them")
        terminal.type(f"{READERS + 1}\n")
        terminal.wait_for("That is not the number. Nothing was changed.")
        terminal.wait_for(f"Type the number {READERS} to repair them")
        terminal.interrupt_until("Interrupted.")
        left = state(terminal)
    assert (left["operator_items"], left["listed"]) == ({"0": READERS + 5}, 5)


@pytest.mark.parametrize("write", [1, 7, READERS])
def test_repair_that_ctrl_c_interrupts_is_finished_by_the_next_run(tmp_path: Path, write: int) -> None:
    """The contacts that the first run marked are pending for the second, which marks the others."""
    with session(tmp_path, *RECONCILE, write=write, unlisted=READERS) as terminal:
        terminal.wait_for(f"Type the number {READERS} to repair them")
        terminal.type(f"{READERS}\n")
        terminal.wait_for("WRITING")
        terminal.interrupt_until("Interrupted. Run the same command again to continue.")
        if write < READERS:
            terminal.wait_for(f"Type the number {READERS - write} to repair them")
            terminal.type(f"{READERS - write}\n")
        left = state(terminal)
    assert (left["operator_items"], left["listed"]) == ({"1": READERS, "0": 5}, READERS + 5)
    assert left["statuses"] == {"bounced": READERS + 4, "complained": 1}


def test_comparison_on_a_terminal_changes_nothing_and_asks_nothing(tmp_path: Path) -> None:
    with session(tmp_path, "list", "diff", unlisted=1) as terminal:
        for _ in range(2):
            terminal.wait_for("missing     1")
        left = state(terminal)
    assert (left["operator_items"], left["listed"]) == ({"0": READERS + 5}, READERS + 4)
