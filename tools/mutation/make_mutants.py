"""Print the mutants of rooms as JSON, one a line: each is the room with one small thing wrong.

Runs on its own, on the Python of .tools/mutation, which has mutmut. Its operators decide what may be wrong with a node
of the code. mutmut itself mutates only what undecorated functions hold; what rules here are tables, models, patterns
and properties, so this applies the operators to whole modules, and adds one: tables and sets lose an entry.

Left alone is what nothing depends on, or what mutmut leaves alone, too: annotations, decorators, docstrings, type
variables, the arguments of `len` and `isinstance`, and what exceptions say to people.
"""

from __future__ import annotations

import argparse
import difflib
import json
import random
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import libcst as cst  # type: ignore[import-not-found]  # not in .venv, where mypy looks
from mutmut.mutation.mutators import mutation_operators  # type: ignore[import-not-found]

from tools.mutation.mutant import Mutant

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).parents[2] / "src/ses_feedback"
LEFT_ALONE = {"auto", "isinstance", "len", "TypeVar"}
"""Calls that stay as they are, and what they are assigned to: the value of `auto()` means nothing."""


@dataclass(frozen=True)
class Change:
    """One node to be replaced, in a statement of the module, in `scope`."""

    statement: int
    scope: str
    old: cst.CSTNode
    new: cst.CSTNode


class Finder(cst.CSTVisitor):  # type: ignore[misc]  # a class of libcst's
    """Collects the changes of one statement of a module."""

    def __init__(self, statement: int) -> None:
        super().__init__()
        self._statement = statement
        self.changes: list[Change] = []
        self._scope: list[str] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Collect the changes of `node`; say whether to look into it."""
        if isinstance(node, cst.ClassDef | cst.FunctionDef):
            self._scope.append(node.name.value)
        if _left_alone(node):
            return False
        scope = ".".join(self._scope)
        self.changes += [Change(self._statement, scope, node, new) for new in _mutations(node)]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Keep track of the scope."""
        if isinstance(original_node, cst.ClassDef | cst.FunctionDef):
            self._scope.pop()


def _left_alone(node: cst.CSTNode) -> bool:
    match node:
        case cst.Annotation() | cst.Decorator() | cst.Import() | cst.ImportFrom():
            return True
        case cst.Call(func=cst.Name(value=name)) | cst.Assign(value=cst.Call(func=cst.Name(value=name))):
            return name in LEFT_ALONE
        case cst.Raise(exc=cst.Call(args=[cst.Arg(value=cst.SimpleString(value=said))])):
            return " " in said
        case cst.Raise(exc=cst.Call(args=[cst.Arg(value=cst.FormattedString())])):
            return True
    return False


def _mutations(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            yield from (new for new in operator(node) if not _same_escapes(node, new))
    if isinstance(node, cst.Tuple | cst.List | cst.Set | cst.Dict):
        for index in range(len(node.elements)):
            left = [*node.elements[:index], *node.elements[index + 1 :]]
            if left or not isinstance(node, cst.Set):
                yield _collection(node, left)


def _same_escapes(node: cst.CSTNode, new: cst.CSTNode) -> bool:
    """Say whether two texts differ in the case of hexadecimal digits only."""
    if not (isinstance(node, cst.SimpleString) and isinstance(new, cst.SimpleString)):
        return False
    texts = {re.sub(r"\\x[0-9a-fA-F]{2}", lambda found: found[0].lower(), str(one.value)) for one in (node, new)}
    return len(texts) == 1


def _collection(node: cst.CSTNode, elements: list[cst.CSTNode]) -> cst.CSTNode:
    changes: dict[str, list[cst.CSTNode]] = {"elements": elements}
    if isinstance(node, cst.Tuple) and len(elements) == 1:
        changes["elements"] = [elements[0].with_changes(comma=cst.Comma())]
    if isinstance(node, cst.Tuple) and not elements:
        changes |= {"lpar": [cst.LeftParen()], "rpar": [cst.RightParen()]}
    return node.with_changes(**changes)


class Room:
    """A room's module, taken apart into its statements, so that a mutant is made of one of them only."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.module = cst.parse_module((SOURCES / f"{name}.py").read_text())
        self.statements = list(self.module.body)
        self.texts = [self.module.code_for_node(statement) for statement in self.statements]
        body = "".join(self.texts)
        self.head, _, self.foot = self.module.code.partition(body)

    def changes(self) -> Iterator[Change]:
        """Yield what may be wrong in it."""
        for number, statement in enumerate(self.statements):
            finder = Finder(number)
            statement.visit(finder)
            yield from finder.changes

    def mutant(self, change: Change) -> Mutant | None:
        """Return the room with `change`, None when that changes nothing."""
        number = change.statement
        old = self.texts[number]
        new = self.module.code_for_node(self.statements[number].deep_replace(change.old, change.new))
        if old == new:
            return None
        above, below = "".join(self.texts[:number]), "".join(self.texts[number + 1 :])
        line, before, after = _difference(old.splitlines(), new.splitlines())
        line += (self.head + above).count("\n")
        return Mutant(self.name, change.scope, line, before, after, f"{self.head}{above}{new}{below}{self.foot}")


def _difference(old: list[str], new: list[str]) -> tuple[int, str, str]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    codes = [code for code in matcher.get_opcodes() if code[0] != "equal"]
    (_, first, _, new_first, _), (_, _, last, _, new_last) = codes[0], codes[-1]
    return first + 1, _shown(old[first:last]), _shown(new[new_first:new_last])


def _shown(lines: list[str]) -> str:
    return "\n".join(line.strip() for line in lines)


def main() -> None:
    """Print the mutants the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="+")
    parser.add_argument("--sample", type=int, help="only so many, drawn from all of them")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    arguments = parser.parse_args()
    found = [(room, change) for room in map(Room, arguments.rooms) for change in room.changes()]
    if arguments.sample:
        drawn = random.Random(arguments.seed).sample(range(len(found)), min(arguments.sample, len(found)))  # noqa: S311 (no secret)
        found = [found[number] for number in sorted(drawn)]
    seen = set()
    for room, change in found:
        made = room.mutant(change)
        if made and made.source not in seen:
            seen.add(made.source)
            sys.stdout.write(json.dumps(asdict(made)) + "\n")


if __name__ == "__main__":
    main()
