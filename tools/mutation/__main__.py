"""`python -m tools.mutation`: make small things wrong in the pure rooms, one at a time, and see who notices."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from tools.mutation.explained import explained, identity
from tools.mutation.findings import Findings
from tools.mutation.mutant import Mutant
from tools.mutation.rooms import ROOMS, ROOT, Room
from tools.mutation.trial import Trials

FLOOR = 95
"""Percent of a room's mutants that its tests have to notice."""


def main() -> int:
    """Do what the command line asks for; return 1 when the tests, or the list of survivors, lack something."""
    arguments = _arguments()
    rooms = [room for room in ROOMS if room.name in (arguments.room or room.name)]
    mutants = _mutants(rooms, arguments.sample, arguments.seed)
    if arguments.sample:
        mutants = (mutant for mutant in mutants if identity(mutant) not in explained())
    found, total = [], Findings("all")
    _tell(total.HEADING)
    for one in _tried(rooms, mutants):
        _tell(one.row())
        found.append(one)
        total.add(one)
    _tell(total.row())
    _tell(f"Besides, {total.stillborn} could not even be imported; of those killed, {total.endless} never ended.")
    complaints = _unexplained(total)
    if not arguments.sample:
        complaints += [*_outdated(rooms, total), *_too_low(found)]
    for complaint in complaints:
        _tell(f"\n{complaint}")
    return 1 if complaints else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
    parser.add_argument("--room", action="append", choices=[room.name for room in ROOMS], help="only this one")
    parser.add_argument("--sample", type=int, help="only so many, drawn from all of them, and none that is explained")
    parser.add_argument("--seed", type=int, default=1, help="which ones: the same code and seed give the same")
    return parser.parse_args()


def _mutants(rooms: Sequence[Room], sample: int | None, seed: int) -> Iterator[Mutant]:
    command = [f"{ROOT}/.tools/mutation/bin/python", "-m", "tools.mutation.make_mutants", f"--seed={seed}"]
    command += [f"--sample={sample}"] if sample else []
    command += [room.name for room in rooms]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (our own)
        try:
            yield from (Mutant(**json.loads(line)) for line in process.stdout or ())
        except GeneratorExit:
            process.kill()
            raise
    if process.returncode:
        raise SystemExit("the mutants could not be made; see above")


def _tried(rooms: Sequence[Room], mutants: Iterable[Mutant]) -> Iterator[Findings]:
    trials = Trials(rooms)
    by_name = {room.name: room for room in rooms}
    for name, of_room in groupby(mutants, key=lambda mutant: mutant.room):
        begun = trials.spent
        found = Findings(name)
        trials.enter(by_name[name])
        for mutant in of_room:
            found.note(mutant, trials.of(by_name[name], mutant.source))
        found.seconds = trials.spent - begun
        yield found


def _unexplained(total: Findings) -> list[str]:
    return [
        f"Nobody noticed, and nobody explains why: src/ses_feedback/{one.room}.py, line {one.line}\n{one.difference()}"
        for one in total.survivors
        if identity(one) not in explained()
    ]


def _outdated(rooms: Sequence[Room], total: Findings) -> list[str]:
    names = {room.name for room in rooms}
    survivors = set(map(identity, total.survivors))
    return [
        f"survivors.toml explains what does not survive: {one}"
        for one in explained()
        if one.room in names and one not in survivors
    ]


def _too_low(found: Iterable[Findings]) -> list[str]:
    return [f"Of {one.of} {one.score:.1f} % are killed, and {FLOOR} % must be" for one in found if one.score < FLOOR]


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
