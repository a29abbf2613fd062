"""Trim botocore's data to the operations that the code calls.

botocore describes every operation of 400 services, and reads the description of a service before its first call.
"""

import gzip
import json
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
        "GetAccount",
        "GetImportJob",
        "PutSuppressedDestination",
    ),
    "sqs": ("SendMessage", "SendMessageBatch"),
}
"""The operations that the code calls, by service. A test compares them with the calls in the source."""
_SHARED_FILES = ("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json")
_SERVICE_FILES = ("service-2", "endpoint-rule-set-1", "service-2.sdk-extras")


def trim(data: Path) -> None:
    """Reduce the folder `botocore/data` to `OPERATIONS`."""
    prefixes = set()
    for path in sorted(data.iterdir()):
        if path.is_dir() and path.name in OPERATIONS:
            prefixes.add(_trim_service(path, OPERATIONS[path.name]))
        elif path.is_dir():
            shutil.rmtree(path)
        elif path.name not in _SHARED_FILES:
            path.unlink()
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in services if name in prefixes}
    _write(data / "endpoints.json", endpoints)


def _trim_service(directory: Path, operations: tuple[str, ...]) -> str:
    """Reduce the newest version of a service to `operations`, and return its endpoint prefix."""
    *old, newest = sorted(path for path in directory.iterdir() if path.is_dir())
    for path in old:
        shutil.rmtree(path)
    documents = {path.name.removesuffix(".gz").removesuffix(".json"): path for path in sorted(newest.iterdir())}
    for name, path in documents.items():
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        path.unlink()
        if name in _SERVICE_FILES:
            document = json.loads(text)
            _write(newest / f"{name}.json", trim_model(document, operations) if name == "service-2" else document)
    return str(json.loads((newest / "service-2.json").read_text())["metadata"]["endpointPrefix"])


def trim_model(model: Mapping[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """Return a service model with `operations` and their shapes only, without documentation.

    Raises:
        KeyError: the service lacks one of the operations.

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
    """Return a part of a model without documentation, which is text; a member of that name is an object."""
    if isinstance(part, dict):
        return {
            name: _undocumented(value)
            for name, value in part.items()
            if not (name == "documentation" and isinstance(value, str))
        }
    return [_undocumented(value) for value in part] if isinstance(part, list) else part


def _write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")
