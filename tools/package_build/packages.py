"""The packages that the code imports: as pinned, for either processor, and no more of them than is used."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.package_build import sdk
from tools.package_build.bytecode import Compiler, compile_under
from tools.package_build.tree import COMPILED, digest, files, open_to_all

MACHINES = ("x86_64", "aarch64")
"""What Lambda runs on. Compiled modules have the processor in their names and lie side by side, so that one package
suits both and cannot be deployed to the wrong one."""
_PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
"""Lambda's Linux has glibc 2.34 (Python 3.12 and later) or 2.26."""
_UNUSED = (
    *(COMPILED, "bin", "*.data", "*.pyi", "py.typed"),
    # Of Powertools the Logger and the metrics are used, and what they import; of pydantic not its first version.
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/[!_j]*",
    "dateutil/zoneinfo",
    "pydantic/v1",
)
"""What nothing imports: a test imports everything from the package as built."""
_LICENCES = ("LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*")


class DifferentError(Exception):
    """A package is not the same for every processor, save for its compiled modules: the two cannot be put into one."""


def installed(requirements: Path, python: str, compiler: Compiler | None, checkout: Path) -> Path:
    """Return a directory with what `requirements` pins, compiled; the one made earlier if nothing has changed."""
    kept = checkout / ".aws-sam" / "packages"
    sources = [requirements, *sorted(Path(__file__).parent.glob("*.py"))]
    directory = kept / digest(sources, python, compiler.version if compiler else "")
    if directory.exists():
        return directory
    kept.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=kept) as made:
        first, *others = (_install(requirements, python, machine, Path(made) / machine) for machine in MACHINES)
        for other in others:
            _merge(other, first)
        if compiler:
            compile_under(first, first, compiler)
        open_to_all(first)
        # Unless somebody else has just made the same.
        with suppress(OSError):
            first.rename(directory)
    return directory


def _install(requirements: Path, python: str, machine: str, directory: Path) -> Path:
    """Install for one processor, and prune."""
    subprocess.run(  # noqa: S603 (this interpreter's own pip)
        [
            *(sys.executable, "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check"),
            *("--require-hashes", "--no-deps", "--no-compile", "--only-binary=:all:"),
            *(f"--platform={platform}_{machine}" for platform in _PLATFORMS),
            *("--implementation=cp", f"--python-version={python}"),
            *("--target", str(directory), "--requirement", str(requirements)),
        ],
        check=True,
        env={**os.environ, "PIP_USER": "0"},
    )
    _prune(directory)
    sdk.trim(directory / "botocore" / "data")
    roots = directory / "certificates" / "amazon.pem"
    roots.parent.mkdir()
    roots.write_text(sdk.amazon_roots((directory / "botocore" / "cacert.pem").read_text()))
    return directory


def _prune(directory: Path) -> None:
    """Remove what nothing imports; of what is told about a package keep what its licence demands."""
    for pattern in _UNUSED:
        for path in [*directory.glob(pattern), *directory.glob(f"*/**/{pattern}")]:
            _remove(path)
    for about in directory.glob("*.dist-info"):
        texts = directory / "licences" / about.name.removesuffix(".dist-info")
        texts.mkdir(parents=True)
        for pattern in _LICENCES:
            for path in about.rglob(pattern):
                if path.is_file():
                    path.rename(texts / path.name)
        shutil.rmtree(about)


def _remove(path: Path) -> None:
    """Remove a file or a directory."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _merge(other: Path, first: Path) -> None:
    """Move the compiled modules of `other` to `first`.

    Raises:
        DifferentError: they differ in something else too.

    """
    for path in files(other):
        target = first / path.relative_to(other)
        if not target.exists() and path.suffix == ".so":
            path.rename(target)
        elif not target.exists() or path.read_bytes() != target.read_bytes():
            raise DifferentError(f"{path.relative_to(other)} is not the same for {first.name} and {other.name}")
