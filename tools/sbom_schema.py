"""Check a bill of materials against the schema of CycloneDX: `python -m tools.sbom_schema FILE`.

It runs in .tools/audit, which has the schema (cyclonedx-python-lib).
"""

import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Exit with the first error of the file on the command line, or with 0 if it is valid."""
    version = import_module("cyclonedx.schema").SchemaVersion.V1_6
    validator = import_module("cyclonedx.validation.json").JsonStrictValidator(version)
    error = validator.validate_str(Path(sys.argv[1]).read_text())
    if error is not None:
        sys.exit(f"{sys.argv[1]} is not valid CycloneDX 1.6: {str(error).partition(chr(10))[0]}")


if __name__ == "__main__":
    main()
