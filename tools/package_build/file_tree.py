"""File trees that are identical to the last bit, independent of the machine and the time of the build."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

COMPILED = "__pycache__"
_FILE_MODE, _DIRECTORY_MODE = 0o644, 0o755


def list_files(directory: Path) -> Iterator[Path]:
    """Yield the files below `directory`, in an order that does not depend on the file system."""
    yield from sorted(path for path in directory.rglob("*") if path.is_file())


def copy_tree(source: Path, destination: Path, *excluded_names: str) -> None:
    """Copy the files below `source`, without those in `excluded_names`."""
    ignore = shutil.ignore_patterns(*excluded_names)
    shutil.copytree(source, destination, copy_function=shutil.copyfile, ignore=ignore, dirs_exist_ok=True)


def make_readable(directory: Path) -> None:
    """Make each file readable for every user, independent of the umask. Lambda runs functions as a user of its own."""
    for path in (directory, *directory.rglob("*")):
        path.chmod(_DIRECTORY_MODE if path.is_dir() else _FILE_MODE)


def digest_tree(directory: Path) -> str:
    """Return a digest of the names, the modes and the contents of everything below `directory`.

    A symbolic link counts with its target, which is not followed: a copy of the tree would contain what it leads to.
    """
    hashed = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        name = f"{path.relative_to(directory).as_posix()} {path.lstat().st_mode:o} "
        hashed.update(name.encode() + hashlib.sha256(content).digest())
    return hashed.hexdigest()


def digest(paths: Iterable[Path], *words: str) -> str:
    """Return a digest of the files' contents and of `words`."""
    hashed = hashlib.sha256("\n".join(words).encode())
    for path in paths:
        hashed.update(hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()[:16]
