"""A small SBOM tool: it lists the Python distributions in a zip file by their METADATA."""

import re
import zipfile
from email.message import Message
from email.parser import Parser
from typing import Any


def cyclonedx_bill(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Return a CycloneDX document with a component for each distribution: https://cyclonedx.org/docs/1.6/json/."""
    names = sorted(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
    components = [_component(Parser().parsestr(archive.read(name).decode())) for name in names]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}


def _component(metadata: Message) -> dict[str, Any]:
    name = re.sub(r"[-_.]+", "-", str(metadata["Name"])).lower()
    return {
        "type": "library",
        "name": name,
        "version": str(metadata["Version"]),
        "purl": f"pkg:pypi/{name}@{metadata['Version']}",
        "licenses": [{"license": {"name": text}} for text in _licenses(metadata)],
    }


def _licenses(metadata: Message) -> list[str]:
    """Return the names of the licenses: by expression, by field or by classifier, in the order of preference."""
    classifiers = [value for value in metadata.get_all("Classifier", []) if value.startswith("License ::")]
    named = [metadata[field] for field in ("License-Expression", "License") if metadata[field]]
    return [str(text) for text in named[:1] or classifiers]
