"""What every implementation of one of dnnprov's interfaces has to keep, as tests that its author inherits.

`StoreContract` is for stores. The tests run under pytest, which is no dependency of dnnprov itself.
"""

from __future__ import annotations

from dnnprov.errors import MissingExtraError

try:
    import pytest
except ImportError:
    raise MissingExtraError("dnnprov.testing", "testing") from None

_PARTS = ("exactly_once", "growth", "names", "reading", "recorded", "values")

pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))  # so that a failure shows both sides

from dnnprov.testing.store_contract import StoreContract  # noqa: E402 - after that

__all__ = ["StoreContract"]
