"""The bill of materials of the Lambda package, as CycloneDX: `python -m tools.sbom PACKAGE FILE`.

PACKAGE is a folder that `tools.package_build` built. Equal packages give equal bills, so the bill has no time and no
serial number. https://cyclonedx.org/docs/1.6/json/
"""

import argparse
import csv
import hashlib
import json
import re
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"


def create_bill(package: Path) -> dict[str, Any]:
    """Return a CycloneDX document with a component for each distribution in a package."""
    components = [_component(path) for path in sorted(package.glob("*.dist-info/METADATA"))]
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "ses-feedback", "bom-ref": "ses-feedback"}},
        "components": components,
        "dependencies": [{"ref": "ses-feedback", "dependsOn": [each["bom-ref"] for each in components]}],
    }


def _component(path: Path) -> dict[str, Any]:
    metadata = Parser().parsestr(path.read_text())
    name = re.sub(r"[-_.]+", "-", str(metadata["Name"])).lower()
    reference = f"pkg:pypi/{name}@{metadata['Version']}"
    return {
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": str(metadata["Version"]),
        "purl": reference,
        # The files as shipped: their names, hashes and sizes.
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(_read_record(path.parent)).hexdigest()}],
        "licenses": [{"license": {"name": text}} for text in _licenses(metadata)],
    }


def _read_record(folder: Path) -> bytes:
    """Return the RECORD of a distribution in a form that does not depend on its quotes and line ends."""
    rows = sorted(csv.reader((folder / "RECORD").read_text().splitlines()))
    return json.dumps(rows).encode()


def _licenses(metadata: Message) -> list[str]:
    """Return the names of the licenses: by expression, by field or by classifier, in the order of preference."""
    classifiers = [value for value in metadata.get_all("Classifier", []) if value.startswith("License ::")]
    named = [metadata[field] for field in ("License-Expression", "License") if metadata[field]]
    return [str(text) for text in named[:1] or classifiers]


def main() -> None:
    """Write the bill of the package that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tools.sbom", description=__doc__)
    parser.add_argument("package", type=Path, help="the folder of a built package")
    parser.add_argument("file", type=Path, help="the bill to write")
    arguments = parser.parse_args()
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    arguments.file.write_text(json.dumps(create_bill(arguments.package), indent=2) + "\n")


if __name__ == "__main__":
    main()
