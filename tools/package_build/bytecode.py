"""Compile modules at build time, so that Lambda does not compile them at each cold start.

Lambda's /var/task is read-only, and zip files do not keep the times that ordinary .pyc files are checked against.
Therefore the files are "unchecked hash-based": Python uses them without a look at the source.
https://docs.python.org/3/reference/import.html#pyc-invalidation
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DEPLOYED = "/var/task"
"""The folder Lambda unpacks a package into; tracebacks name it.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html (LAMBDA_TASK_ROOT)"""
_PRINT_VERSION = "import sys; print('%d.%d' % sys.version_info[:2], sys.version)"


@dataclass(frozen=True, slots=True)
class Compiler:
    """An interpreter of the functions' Python version; `build` is its `sys.version`."""

    path: str
    build: str


def find_compiler(python: str, checkout: Path) -> Compiler | None:
    """Return an interpreter of version `python`, or None if there is none.

    Candidates are this interpreter, `pythonX.Y` on the PATH, and the virtual environments that `make` creates.
    """
    for candidate in _candidates(python, checkout):
        # A file named python3.13 may be a pyenv shim that does not run.
        answer = subprocess.run([candidate, "-c", _PRINT_VERSION], capture_output=True, text=True, check=False)  # noqa: S603
        version, _, build = answer.stdout.strip().partition(" ")
        if version == python:
            return Compiler(candidate, build)
    return None


def _candidates(python: str, checkout: Path) -> Iterator[str]:
    yield sys.executable
    on_path = shutil.which(f"python{python}")
    if on_path:
        yield on_path
    for environment in (checkout / ".venv", *sorted(checkout.glob(".tools/*"))):
        if (environment / "bin" / "python").exists():
            yield str(environment / "bin" / "python")


def compile_modules(directory: Path, root: Path, compiler: Compiler) -> None:
    """Compile each module below `directory`; `root` is the root of the package."""
    arguments = ["-q", "-f", "--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", DEPLOYED, str(directory)]
    subprocess.run(  # noqa: S603 (an interpreter of this machine)
        [compiler.path, "-m", "compileall", *arguments],
        check=True,
        # Compiled sets keep their order. A fixed hash seed makes it the same in each build.
        env={"PYTHONHASHSEED": "0"},
    )
