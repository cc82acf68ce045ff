"""The contract of `dnnprov.store.base.Store`, as tests to inherit.

It records as a training does, into a folder of its own, and asks through the store's own `read` and `read_untrusted`,
in SQL that SQLite and PostgreSQL both take. What a test shows stands in its name.
"""

from __future__ import annotations

from dnnprov.testing.exactly_once import ExactlyOnce
from dnnprov.testing.growth import Growth
from dnnprov.testing.names import Names
from dnnprov.testing.reading import Reading
from dnnprov.testing.values import Values


class StoreContract(Values, Names, Growth, ExactlyOnce, Reading):
    """Tests of any `Store`: inherit it in a class whose name begins with `Test`, and give it one fixture.

    The fixture `open_store` is a function from the path of a store folder to the store that takes in its journals.
    Within a test each call opens the same database once more; two tests share none.

    Example:
        ```python
        class TestSqliteStore(StoreContract):
            @pytest.fixture
            def open_store(self):
                return lambda folder: SqliteStore(StoreFolder(folder))
        ```
    """
