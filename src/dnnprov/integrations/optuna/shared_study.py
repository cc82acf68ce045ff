"""The run of a study that several processes work on, at once or one after the other.

Which run it is stands in the study itself, as the user attribute `dnnprov_run`, where its storage is one that others
may see. The process that finds none there records the run of the study; one that comes while that goes on puts its
trials below the same run; one that comes later goes on with it. That two find none at the same moment is kept away by a
lock in the store, for which nobody waits long.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from optuna.storages import InMemoryStorage

from dnnprov.capture.current_runs import active_run
from dnnprov.capture.earlier import find_earlier
from dnnprov.capture.going_on import is_going_on
from dnnprov.journal.folder import store_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from optuna.study import Study

    from dnnprov.integrations.search_steps import SearchSteps
    from dnnprov.journal.folder import StoreFolder

ATTRIBUTE = "dnnprov_run"
PATIENCE_SECONDS = 2.0


def begin_shared(search: SearchSteps, study: Study, begin: Callable[[str | None], None]) -> None:
    """Begin to record a study, or go on with it, or join those who record it.

    Args:
        search: the steps of the study.
        study: that is worked on.
        begin: called with the uid of a run to go on with, or `None` for a new one; not called where others record it.
    """
    if (
        active_run() is not None
        or search.has_given_run
        or isinstance(getattr(study, "_storage", None), InMemoryStorage)
    ):
        begin(None)
        return
    folder = store_folder(search.store)
    with _locked(folder):
        noted = study.user_attrs.get(ATTRIBUTE)
        uid = noted if isinstance(noted, str) else None
        is_elsewhere = None if uid is None else is_going_on(folder, uid)
        if uid is not None and is_elsewhere:
            earlier = find_earlier(folder, uid)
            search.join(uid, (earlier and earlier.name) or study.study_name)
            return
        begin(None if is_elsewhere is None else uid)
        if search.run is not None and search.run.uid != uid:
            study.set_user_attr(ATTRIBUTE, search.run.uid)


@contextmanager
def _locked(folder: StoreFolder) -> Iterator[None]:
    """A block in which no other process begins to record a study, unless locks do not work or one is held for long."""
    descriptor = -1
    with suppress(ImportError, OSError):
        import fcntl  # noqa: PLC0415 - not on Windows

        folder.create()
        descriptor = os.open(folder.studies_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up_at:
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.01)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)
