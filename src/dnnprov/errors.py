"""Every error that dnnprov raises on purpose.

```
DnnprovError
├── UsageError (also ValueError)          a wrong argument; raised before anything is recorded
├── PostRefusedError (also ValueError)    what a client sent to the server, and cannot be meant
├── NotFoundError (also LookupError)      exit code 3 of the command line
│   ├── RunNotFoundError
│   ├── DataflowNotFoundError
│   └── StoreNotFoundError
├── AmbiguousRunError                     a prefix that fits several runs
├── JournalError                          a journal that cannot be read at all
│   ├── LaterFormatError                  written by a later dnnprov
│   └── DamagedArchiveError               a compressed one that ends early or does not unpack
├── ImportSourceError                     what should be imported is not what it should be
├── StoreError
│   ├── SchemaVersionError                exit code 4
│   └── StoreUnavailableError             locked for long, or not writable
├── QueryError                            SQL that failed
│   ├── QueryRefusedError                 SQL that would write, or look outside the store
│   └── QueryTimeoutError
├── MissingExtraError (also ImportError)  an optional part is not installed
└── UnsupportedVersionError (also ImportError)  it is installed, and older than what is supported
```

Recording never raises these into a training; only `UsageError` comes out of it, at the call that starts a run.
Each message says what came, what was expected and what to do.
"""

from __future__ import annotations

import shlex
from difflib import get_close_matches
from reprlib import Repr
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class DnnprovError(Exception):
    """Base of all errors of this package."""


class UsageError(DnnprovError, ValueError):
    """An argument that cannot be meant."""


class PostRefusedError(DnnprovError, ValueError):
    """What a client sent cannot be taken; nothing of it is recorded.

    Args:
        field: where it stands, `sets[0].elements`; empty for the body as a whole.
        value: what came.
        expected: what should have come.
    """

    def __init__(self, field: str, value: object, expected: str) -> None:
        self.field = field
        self.shown = shorter(value)
        self.expected = expected
        super().__init__(f"{field or 'the body'}: {self.shown} came; expected {expected}")


def shorter(value: object) -> str:
    """A value as a message shows it, however long or deep it is."""
    words = Repr()
    words.maxstring = words.maxother = words.maxlong = 120
    return words.repr(value)


class NotFoundError(DnnprovError, LookupError):
    """Something that was asked for by name is not in the store."""


def _suggestion(name: str, known: Iterable[str]) -> str:
    """The tail of a not-found message: the nearest known names, or what there is."""
    names = list(dict.fromkeys(known))
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not names:
        return "; there is none yet"
    shown = ", ".join(repr(known_name) for known_name in names[:5])
    return f"; there is {shown}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")


class RunNotFoundError(NotFoundError):
    """No run has this uid, prefix of a uid, or name."""

    def __init__(self, run: str, known: Iterable[str] = ()) -> None:
        super().__init__(f"no run {run!r}{_suggestion(run, known)}")


class DataflowNotFoundError(NotFoundError):
    """No dataflow has this tag."""

    def __init__(self, tag: str, known: Iterable[str] = ()) -> None:
        super().__init__(f"no dataflow {tag!r}{_suggestion(tag, known)}")


class StoreNotFoundError(NotFoundError):
    """There is no store at this place."""

    def __init__(self, place: str | Path) -> None:
        super().__init__(
            f"no store at {str(place)!r}; record a run there first, or name another with --store or DNNPROV_STORE"
        )


class AmbiguousRunError(DnnprovError):
    """The prefix of a uid fits more than one run."""

    def __init__(self, prefix: str, uids: list[str]) -> None:
        shown = ", ".join(uids[:4])
        super().__init__(f"the prefix {prefix!r} fits {len(uids)} runs ({shown}); give more of the uid")


class JournalError(DnnprovError):
    """A journal segment that cannot be read: not ours, or of a later format."""


class LaterFormatError(JournalError):
    """A journal segment of a format that a later version of dnnprov writes."""


class DamagedArchiveError(JournalError):
    """A compressed segment that cannot be unpacked to its end."""


class ImportSourceError(DnnprovError):
    """What should be imported cannot be read, or is not what it should be; nothing of it was stored.

    Args:
        source: its path.
        what: came, what was expected, and how to go on.
    """

    def __init__(self, source: str | Path, what: str) -> None:
        super().__init__(f"{str(source)!r} was not imported: {what}")


class StoreError(DnnprovError):
    """The provenance database could not be used."""


class SchemaVersionError(StoreError):
    """The database of a store is of another schema version than this program works with.

    Args:
        place: of the store.
        found: version of its database.
        expected: version that this program knows.
        why_not_upgraded: why an older database could not be brought to it.
    """

    def __init__(self, place: str | Path, found: int, expected: int, why_not_upgraded: str | None = None) -> None:
        self.found = found
        self.expected = expected
        rebuild = f"dnnprov rebuild --store {shlex.quote(str(place))}"
        if why_not_upgraded is not None:
            advice = f"it could not be upgraded and is as it was: {why_not_upgraded}; give write access and free space"
        elif found > expected:
            advice = (
                "a later dnnprov upgraded it; upgrade this one too with `pip install --upgrade dnnprov`, or make the "
                f"database anew for this version with `{rebuild}`"
            )
        else:
            advice = f"make the database anew from the journals with `{rebuild}`"
        super().__init__(
            f"the store {str(place)!r} has schema version {found}, this dnnprov knows version {expected}; {advice}. "
            "Recording goes on either way"
        )


class StoreUnavailableError(StoreError):
    """The database could not be opened, or stayed locked."""


class QueryError(DnnprovError):
    """SQL that the database refused or that failed."""


class QueryRefusedError(QueryError):
    """SQL that would change the store or look outside it."""


class QueryTimeoutError(QueryError):
    """SQL that ran longer than allowed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the query ran longer than {seconds:g} s and was stopped; narrow it with WHERE or raise --timeout"
        )


class MissingExtraError(DnnprovError, ImportError):
    """A feature needs a package that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs a package that is not installed: pip install 'dnnprov[{extra}]'")


class UnsupportedVersionError(DnnprovError, ImportError):
    """A framework is older than the oldest version that is supported."""

    def __init__(self, feature: str, framework: str, oldest: str, installed: str) -> None:
        super().__init__(
            f"{feature} records {framework} {oldest} and later; installed is {framework} {installed}. "
            f"Get a later one: pip install '{framework.lower()}>={oldest}'"
        )
