"""Install the pinned dependencies for both processors, and remove the modules that nothing imports."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.package_build import botocore_data, dist_info
from tools.package_build.bytecode import Compiler, compile_modules
from tools.package_build.certificates import amazon_roots
from tools.package_build.file_tree import COMPILED, digest, digest_tree, list_files, make_readable

MACHINES = ("x86_64", "aarch64")
"""Lambda's processors: https://docs.aws.amazon.com/lambda/latest/dg/foundation-arch.html. Extension modules have the
processor in their file names, so both lie side by side, and one package suits both."""
_PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
"""Lambda's Linux has glibc 2.34 (Python 3.12 and later) or 2.26 (Python 3.11).
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"""
_UNUSED = (
    *(COMPILED, "bin", "*.data", "*.pyi", "py.typed"),
    # The code uses Powertools' Logger and metrics, and version 2 of pydantic.
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/[!_j]*",
    "dateutil/zoneinfo",
    "pydantic/v1",
)
"""Files that nothing imports. A test imports every handler from the package as built."""


class DifferentFilesError(Exception):
    """A dependency differs between the processors in more than its extension modules. One package cannot hold both."""


def install_dependencies(requirements: Path, python: str, compiler: Compiler | None, wheels: Path, cache: Path) -> Path:
    """Return a folder with the dependencies that `requirements` pins, trimmed and compiled.

    The folder is cached in `cache`, by the pins, this code and the compiler. It is used again only if its content still
    has the digest that it had when it was made. Otherwise it is made again from `wheels`, the downloaded wheels, whose
    hashes pip compares with the pins each time.
    """
    sources = [requirements, *sorted(Path(__file__).parent.glob("*.py"))]
    directory = cache / digest(sources, python, compiler.build if compiler else "")
    recorded = directory.with_suffix(".sha256")
    if directory.exists():
        if recorded.exists() and recorded.read_text() == digest_tree(directory):
            return directory
        shutil.rmtree(directory)
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache) as temporary:
        made = _make_packages(requirements, python, compiler, wheels, Path(temporary))
        recorded.write_text(digest_tree(made))
        # Another build may have finished the same folder in the meantime.
        with suppress(OSError):
            made.rename(directory)
    return directory


def _make_packages(requirements: Path, python: str, compiler: Compiler | None, wheels: Path, temporary: Path) -> Path:
    """Return a folder below `temporary` with the dependencies for both processors."""
    first, *others = (_install(requirements, python, machine, wheels, temporary / machine) for machine in MACHINES)
    for other in others:
        _merge(other, first)
    if compiler:
        compile_modules(first, first, compiler)
    dist_info.write_records(first)
    make_readable(first)
    return first


def _download(requirements: Path, python: str, machine: str, wheels: Path) -> Path:
    """Download the pinned wheels for one processor, unless they are there, and return their folder."""
    directory = wheels / digest([requirements], python, machine)
    if directory.exists():
        return directory
    wheels.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=wheels) as temporary:
        downloaded = Path(temporary) / "wheels"
        _run_pip("download", requirements, python, machine, f"--dest={downloaded}")
        with suppress(OSError):
            downloaded.rename(directory)
    return directory


def _install(requirements: Path, python: str, machine: str, wheels: Path, directory: Path) -> Path:
    """Install the dependencies for one processor into `directory`, trim them, and return `directory`."""
    source = _download(requirements, python, machine, wheels)
    # pip installs from this folder only, whatever index the environment names.
    environment = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(source)}
    _run_pip("install", requirements, python, machine, "--no-compile", f"--target={directory}", **environment)
    _remove_unused(directory)
    dist_info.trim(directory)
    botocore_data.trim(directory / "botocore" / "data")
    roots = directory / "certificates" / "amazon.pem"
    roots.parent.mkdir()
    roots.write_text(amazon_roots((directory / "botocore" / "cacert.pem").read_text()))
    return directory


def _run_pip(command: str, requirements: Path, python: str, machine: str, *options: str, **environment: str) -> None:
    """Run this interpreter's pip for the pinned wheels of one processor. pip refuses a wheel with another hash.

    `environment` has further environment variables for pip.
    """
    subprocess.run(  # noqa: S603 (this interpreter's own pip)
        [
            *(sys.executable, "-m", "pip", command, "-qq", "--no-input", "--disable-pip-version-check"),
            *("--require-hashes", "--no-deps", "--only-binary=:all:"),
            *(f"--platform={platform}_{machine}" for platform in _PLATFORMS),
            *("--implementation=cp", f"--python-version={python}"),
            *options,
            *("--requirement", str(requirements)),
        ],
        check=True,
        env={**os.environ, "PIP_USER": "0", **environment},
    )


def _remove_unused(directory: Path) -> None:
    for pattern in _UNUSED:
        for path in [*directory.glob(pattern), *directory.glob(f"*/**/{pattern}")]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _merge(other: Path, first: Path) -> None:
    """Move the extension modules of `other` to `first`, and add them to the records of `first`.

    Raises:
        DifferentFilesError: another file differs.

    """
    for path in list_files(other):
        target = first / path.relative_to(other)
        if not target.exists() and path.suffix == ".so":
            path.rename(target)
        elif path.name == dist_info.RECORD:
            dist_info.merge_records(path, target)
        elif not target.exists() or dist_info.comparable(path) != dist_info.comparable(target):
            raise DifferentFilesError(f"{path.relative_to(other)} differs between {first.name} and {other.name}")
