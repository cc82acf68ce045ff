"""One at a time: what makes the database of a store anew, or removes runs from it."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dnnprov.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnnprov.journal.folder import StoreFolder

_HELD = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES})


@contextmanager
def exclusive(folder: StoreFolder) -> Iterator[None]:
    """Hold the store against others that rebuild it or remove runs; recording and questions go on.

    The lock is that of an open file, so it ends with the process, however that ends.

    Raises:
        StoreError: another process holds it.
        OSError: the folder cannot be written.
    """
    lock = os.open(folder.database.with_name("maintenance.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                raise StoreError(
                    f"another `dnnprov rebuild` or `dnnprov gc` works on the store {str(folder.path)!r}; "
                    "wait until it is done"
                ) from None
            # a file system without locks: whoever keeps a store there sees to it alone
        yield
    finally:
        with suppress(OSError):
            os.close(lock)
