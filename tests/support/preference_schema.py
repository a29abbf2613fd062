"""The published JSON schema of preference messages, and its validator."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/operate/preference-message.schema.json").read_text())
VALIDATOR: Any = import_module("jsonschema").Draft202012Validator(SCHEMA)  # the package has no types
