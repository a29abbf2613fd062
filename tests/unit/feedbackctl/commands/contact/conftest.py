"""A small stack for each test, without a samconfig.toml in the current folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.operated_stack import OperatedStack, operated_stack


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatedStack]:
    monkeypatch.chdir(tmp_path)
    with operated_stack(calls_per_second=None) as running:
        yield running
