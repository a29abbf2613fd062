"""botocore knows every operation of 400 services. A function reads what it knows of a service before its first call."""

import gzip
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "dynamodb": (
        "BatchExecuteStatement",
        "BatchGetItem",
        "GetItem",
        "PutItem",
        "Query",
        "UpdateItem",
    ),
    "events": ("PutEvents",),
    "s3": ("DeleteObject", "GetObject", "PutObject"),
    "sesv2": (
        "CreateImportJob",
        "DeleteSuppressedDestination",
        "GetImportJob",
        "PutSuppressedDestination",
    ),
    "sqs": ("SendMessage", "SendMessageBatch"),
}
"""What the code calls, by botocore's names; a test compares it with the calls in the source."""
_AUTHORITIES = {"Amazon", "Starfield Technologies, Inc."}
"""Amazon Trust Services, and those of Starfield's that signed for it first."""
_CERTIFICATE = re.compile(
    r"^# Issuer: [^\n]*?\bO=([^\n]*?)(?: OU=[^\n]*)?\n.*?^-----END CERTIFICATE-----\n", re.MULTILINE | re.DOTALL
)
_SHARED = ("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json")
_OF_A_SERVICE = ("service-2", "endpoint-rule-set-1", "service-2.sdk-extras")


def trim(data: Path) -> None:
    """Reduce `botocore/data` to the operations called."""
    prefixes = set()
    for path in sorted(data.iterdir()):
        if path.is_dir() and path.name in OPERATIONS:
            prefixes.add(_trim_service(path, OPERATIONS[path.name]))
        elif path.is_dir():
            shutil.rmtree(path)
        elif path.name not in _SHARED:
            path.unlink()
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in services if name in prefixes}
    _write(data / "endpoints.json", endpoints)


def amazon_roots(bundle: str) -> str:
    """Return the certificates of Amazon's authorities from a bundle, with what it says of them."""
    return "\n".join(found[0] for found in _CERTIFICATE.finditer(bundle) if found[1] in _AUTHORITIES)


def _trim_service(directory: Path, operations: tuple[str, ...]) -> str:
    """Reduce the newest version of a service to those operations; return its name among the endpoints."""
    *old, newest = sorted(path for path in directory.iterdir() if path.is_dir())
    for path in old:
        shutil.rmtree(path)
    documents = {path.name.removesuffix(".gz").removesuffix(".json"): path for path in sorted(newest.iterdir())}
    for name, path in documents.items():
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        path.unlink()
        if name in _OF_A_SERVICE:
            document = json.loads(text)
            _write(newest / f"{name}.json", trimmed(document, operations) if name == "service-2" else document)
    return str(json.loads((newest / "service-2.json").read_text())["metadata"]["endpointPrefix"])


def trimmed(model: Mapping[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """Return a service's model with those operations, the shapes they are made of, and no documentation.

    Raises:
        KeyError: the service has no such operation.

    """
    kept = {name: model["operations"][name] for name in operations}
    shapes: dict[str, Any] = {}
    wanted = list(_shapes_in(kept))
    while wanted:
        name = wanted.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            wanted += _shapes_in(shapes[name])
    ordered = {name: shapes[name] for name in sorted(shapes)}
    undocumented = {name: value for name, value in model.items() if name != "documentation"}
    return {**undocumented, "operations": _undocumented(kept), "shapes": _undocumented(ordered)}


def _shapes_in(part: object) -> Iterator[str]:
    """Yield the names of the shapes that a part of a model refers to."""
    if isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        for value in part.values():
            yield from _shapes_in(value)
    elif isinstance(part, list):
        for value in part:
            yield from _shapes_in(value)


def _undocumented(part: Any) -> Any:  # noqa: ANN401 (JSON)
    """Leave documentation out: it is text, where a member of that name would be an object."""
    if isinstance(part, dict):
        return {
            name: _undocumented(value)
            for name, value in part.items()
            if not (name == "documentation" and isinstance(value, str))
        }
    return [_undocumented(value) for value in part] if isinstance(part, list) else part


def _write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")
