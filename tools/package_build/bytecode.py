"""Compiles ahead what Lambda would otherwise compile at every cold start.

The times that a zip file keeps differ from those that ordinary compiled files go by, and Lambda cannot write new ones.
So they are made to be taken as they are ("unchecked hash"), which suits files that nobody changes once deployed.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DEPLOYED = "/var/task"
"""Where Lambda puts a package: what tracebacks name."""
_WHICH = "import sys; print('%d.%d' % sys.version_info[:2], sys.version)"


@dataclass(frozen=True, slots=True)
class Compiler:
    """An interpreter of the version the functions run on."""

    path: str
    version: str


def compiler_for(python: str, checkout: Path) -> Compiler | None:
    """Return an interpreter of that version: the one that runs this, the one on the PATH, or one `make` has set up."""
    for candidate in _candidates(python, checkout):
        # Being called python3.13 is not enough: pyenv's shims are, and may not run.
        asked = subprocess.run([candidate, "-c", _WHICH], capture_output=True, text=True, check=False)  # noqa: S603
        version, _, build = asked.stdout.strip().partition(" ")
        if version == python:
            return Compiler(candidate, build)
    return None


def _candidates(python: str, checkout: Path) -> Iterator[str]:
    yield sys.executable
    named = shutil.which(f"python{python}")
    if named:
        yield named
    for found in (checkout / ".venv", *sorted(checkout.glob(".tools/*"))):
        if (found / "bin" / "python").exists():
            yield str(found / "bin" / "python")


def compile_under(directory: Path, root: Path, compiler: Compiler) -> None:
    """Compile every module under `directory`, which is in the package at `root`."""
    arguments = ["-q", "-f", "--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", DEPLOYED, str(directory)]
    subprocess.run(  # noqa: S603 (an interpreter of this machine's)
        [compiler.path, "-m", "compileall", *arguments],
        check=True,
        # The order of sets is compiled in: always the same one.
        env={"PYTHONHASHSEED": "0"},
    )
