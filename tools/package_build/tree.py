"""Directories of files that are the same to the last bit wherever and whenever they are made."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

COMPILED = "__pycache__"
_FILE, _DIRECTORY = 0o644, 0o755


def files(directory: Path) -> Iterator[Path]:
    """Yield the files under `directory`, in an order that does not depend on the file system."""
    yield from sorted(path for path in directory.rglob("*") if path.is_file())


def copy(source: Path, destination: Path, *leaving: str) -> None:
    """Copy what is under `source`, except for what has one of those names."""
    ignore = shutil.ignore_patterns(*leaving)
    shutil.copytree(source, destination, copy_function=shutil.copyfile, ignore=ignore, dirs_exist_ok=True)


def open_to_all(directory: Path) -> None:
    """Let Lambda's own account read everything, whatever the umask was."""
    for path in (directory, *directory.rglob("*")):
        path.chmod(_DIRECTORY if path.is_dir() else _FILE)


def digest(paths: Iterable[Path], *words: str) -> str:
    """Return a name for what these files hold, and for the words."""
    found = hashlib.sha256("\n".join(words).encode())
    for path in paths:
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]
