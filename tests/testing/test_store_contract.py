"""The contract of stores, held by SQLite; and the faults that it finds in stores that break it."""

from __future__ import annotations

import pytest

from dnnprov.journal.folder import StoreFolder
from dnnprov.store.sqlite import SqliteStore
from dnnprov.testing import StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def open_store(self):
        return lambda folder: SqliteStore(StoreFolder(folder))
