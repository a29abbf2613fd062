"""The fixture of the tests of the sync."""

import pytest

from tests.support.sync_fixture import SyncFixture


@pytest.fixture
def fixture() -> SyncFixture:
    """Return a fixture without contacts."""
    return SyncFixture()
