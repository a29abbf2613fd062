"""Findings: files with the payloads that broke a rule. `python -m campaigns.fuzz --replay FILE` checks them again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from campaigns.fuzz.invariants import Violation
from campaigns.fuzz.payloads import Payload

FOLDER = Path(".local/fuzz")


def save(payloads: Sequence[Payload], violation: Violation, name: str, folder: Path = FOLDER) -> Path:
    """Write a finding; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    events = [payload.event for payload in payloads]
    finding = {"rule": violation.rule, "description": violation.description, "events": events}
    path.write_text(f"{json.dumps(finding, indent=1)}\n", encoding="utf-8")
    return path


def load(path: Path) -> list[Payload]:
    """Return the payloads of a finding."""
    return [payload_of(event) for event in json.loads(path.read_text(encoding="utf-8"))["events"]]


def payload_of(event: Any) -> Payload:  # noqa: ANN401 (JSON)
    """Return a payload of this event."""
    only_records = isinstance(event, dict) and list(event) == ["Records"] and isinstance(event["Records"], list)
    record = event["Records"][0] if only_records and len(event["Records"]) == 1 else None
    return Payload("finding", event, record)
