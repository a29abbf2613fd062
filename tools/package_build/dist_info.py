"""The `dist-info` folders of the bundled distributions: name, version, licenses and the list of files.

Amazon Inspector and SBOM tools find the dependencies of a Lambda function by these folders.
https://docs.aws.amazon.com/inspector/latest/user/sbom-generator.html
https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

import base64
import csv
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tools.package_build.file_tree import COMPILED

METADATA, RECORD = "METADATA", "RECORD"
_LICENSES = ("LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*")
_SBOMS = "sboms"
"""Bills of materials of compiled code, such as Rust crates: https://peps.python.org/pep-0770/"""


def trim(directory: Path) -> None:
    """Keep METADATA, RECORD, licenses and bills of materials, and remove notes for installers (such as scripts)."""
    for folder in directory.glob("*.dist-info"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not _is_kept(path.relative_to(folder)):
                path.unlink()
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not any(path.iterdir()):
                shutil.rmtree(path)


def comparable(path: Path) -> bytes:
    """Return the content of a file without the parts that each build of a wheel makes anew."""
    content = path.read_bytes()
    if path.parent.name != _SBOMS:
        return content
    bill = json.loads(content)
    bill.pop("serialNumber", None)
    bill.get("metadata", {}).pop("timestamp", None)
    return json.dumps(bill).encode()


def merge_records(other: Path, first: Path) -> None:
    """Append the files that the RECORD `other` lists to the RECORD `first`."""
    first.write_text(first.read_text() + other.read_text())


def write_records(directory: Path) -> None:
    """Write each RECORD anew: the files that are shipped, with the compiled ones, as they are now."""
    for record in sorted(directory.glob(f"*.dist-info/{RECORD}")):
        files = set(_shipped_files(record, directory))
        with record.open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerows(_row(path, directory) for path in sorted(files))


def _is_kept(path: Path) -> bool:
    is_license = any(path.match(pattern) for pattern in _LICENSES)
    return path.name in {METADATA, RECORD} or path.parts[0] in {"licenses", _SBOMS} or is_license


def _shipped_files(record: Path, directory: Path) -> Iterator[str]:
    """Yield the files that a RECORD lists, as far as they are in the package, and their compiled modules."""
    with record.open(newline="") as stream:
        listed = [row[0] for row in csv.reader(stream) if row]
    for name in listed:
        # botocore's models are shipped unpacked.
        for path in (PurePosixPath(name), PurePosixPath(name.removesuffix(".gz"))):
            # Scripts are installed outside of the package: `../../bin/…`.
            if ".." in path.parts or not (directory / path).is_file():
                continue
            yield str(path)
            if path.suffix == ".py":
                compiled = (directory / path).parent.glob(f"{COMPILED}/{path.stem}.*.pyc")
                yield from (module.relative_to(directory).as_posix() for module in compiled)


def _row(name: str, directory: Path) -> tuple[str, str, str]:
    """Return the row of a file: its name, hash and size. RECORD itself has neither hash nor size."""
    if PurePosixPath(name).name == RECORD:
        return name, "", ""
    content = (directory / name).read_bytes()
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return name, f"sha256={hashed}", str(len(content))
