"""The fixture of the tests of import jobs."""

from collections.abc import Iterator

import pytest

from tests.support.import_fixture import ImportFixture, an_import_fixture


@pytest.fixture
def fixture() -> Iterator[ImportFixture]:
    """Return a fixture without contacts."""
    with an_import_fixture() as fixture:
        yield fixture
