"""Code in the Markdown documents, for tests that run it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SHELL = re.compile(r"^( *)```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def python_blocks(document: str, heading: str) -> list[str]:
    """Return the Python code under a heading of a document, one text for each block.

    Raises:
        LookupError: the document has no such heading, or no Python below it.

    """
    text = f"\n{(ROOT / document).read_text()}"
    section = re.search(rf"^(#+) {re.escape(heading)}$(.*?)(?=^#{{1,2}} |\Z)", text, re.MULTILINE | re.DOTALL)
    blocks = _BLOCK.findall(section[2]) if section else []
    if not blocks:
        raise LookupError(f"{document} has no Python code under the heading {heading!r}")
    return [str(block) for block in blocks]


def shell_blocks(document: str) -> list[str]:
    """Return the shell code of a document, one text for each block."""
    found = _SHELL.findall((ROOT / document).read_text())
    return ["\n".join(line.removeprefix(indent) for line in code.splitlines()) for indent, code in found]


def placeholders_replaced(code: str, **values: str) -> str:
    """Return code with each placeholder, as `…ContactsTableName…`, replaced by its value.

    Raises:
        LookupError: a placeholder has no value.

    """
    return re.sub("…(\\w+)…", lambda found: values[found[1]], code)
