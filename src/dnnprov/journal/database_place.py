"""Where the database of a store lies: in the store's folder, or where that is no place for SQLite, in a local cache.

SQLite keeps its processes apart by locks of the file system, and lets them share memory through a file. Network file
systems have the first at best, and never the second among machines. Journals need neither, so they stay where they
are, and the database, being made from them, goes to a folder of this machine. Each machine then has its own.

The file system's type is read from the table of mounts; besides, a lock and shared memory are tried, which finds those
that no table knows.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import re
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CACHE_VARIABLE = "DNNPROV_CACHE"
DATABASE_NAME = "provenance.db"
MOUNTS = Path("/proc/self/mountinfo")

_NETWORK_TYPES = frozenset(
    {
        "9p",
        "acfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "cvmfs",
        "davfs",
        "fhgfs",
        "gfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "ibrix",
        "lustre",
        "mmfs",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "prl_fs",
        "pvfs2",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
        "vmhgfs",
        "wekafs",
    }
)
"""File systems that several machines may write, as the table of mounts calls them."""

_LOCAL_FUSE = re.compile(r"fuse\.(fuse-overlayfs|ntfs|ntfs-3g|exfat|ext\w*|encfs|gocryptfs|cryfs|bindfs|mergerfs)")
"""What FUSE serves from this machine; the rest of `fuse.*` is sshfs, buckets and the like."""

_NOT_SUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV, errno.EIO})

_ID_FILE = "store-id"
_NAMED_AFTER = "store.txt"


@dataclass(frozen=True)
class DatabasePlace:
    """Where the database of a store lies.

    Attributes:
        path: of its file.
        why_elsewhere: why it is not in the folder of the store; `None` where it is.
        is_asked: whether that is because somebody asked for it.
        why_unsafe: why it should not be where it is, no better place being there.
        is_unusable: whether no process can lock it there, so that it cannot even be opened.
    """

    path: Path
    why_elsewhere: str | None = None
    is_asked: bool = False
    why_unsafe: str | None = None
    is_unusable: bool = False


def find_database_place(store: Path) -> DatabasePlace:
    """Where the database of a store belongs; the answer is kept once the store's folder is there.

    Args:
        store: its folder.
    """
    wanted = os.environ.get(CACHE_VARIABLE) or None
    known = _known.get((store, wanted))
    if known is None:
        known = _find(store, wanted)
        if store.is_dir():
            _known[store, wanted] = known
            if known.why_elsewhere is not None:
                with suppress(OSError):  # whoever opens the database says so
                    known.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return known


def say_once(place: DatabasePlace, store: Path) -> str | None:
    """What to tell people when they first meet a database that is elsewhere; `None` when that was done.

    The note in the cache folder that remembers it names the store, for whoever finds that folder.
    """
    if place.why_elsewhere is None or place.is_asked:
        return None
    named = place.path.parent / _NAMED_AFTER
    try:
        with named.open("x", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(f"{store}\n")
    except OSError:  # the file is there, or cannot be made, and then the database could not either
        return None
    return f"the database of {str(store)!r} is {str(place.path)!r}: {place.why_elsewhere}"


def why_unfit(folder: Path) -> str | None:
    """Why SQLite cannot share a database in a folder among processes; `None` where it can."""
    kind = _file_system(folder)
    if kind in _NETWORK_TYPES or (kind.startswith("fuse.") and not _LOCAL_FUSE.fullmatch(kind)):
        return f"{str(folder)!r} is on a network file system ({kind}), where SQLite's locks are not safe"
    failure = _try_locks(folder)
    return f"locks do not work in {str(folder)!r} ({failure})" if failure else None


_known: dict[tuple[Path, str | None], DatabasePlace] = {}


def _find(store: Path, wanted: str | None) -> DatabasePlace:
    inside = DatabasePlace(store / DATABASE_NAME)
    if wanted is not None:
        cache = Path(wanted).absolute()
        return DatabasePlace(_in_cache(cache, store), f"{CACHE_VARIABLE} is {wanted!r}", is_asked=True)
    why = why_unfit(store)
    if why is None:
        return inside
    local = next((folder for folder in _caches() if _is_fit(folder)), None)
    if local is not None:
        return DatabasePlace(_in_cache(local, store), why)
    return DatabasePlace(inside.path, why_unsafe=why, is_unusable=_try_locks(store) is not None)


def _caches() -> list[Path]:
    """Folders for the databases of this user, the best first; homes are on network file systems too."""
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:  # nobody's home
        home = Path()
    caches = [home / "dnnprov"] if home.is_absolute() else []
    return [*caches, Path(tempfile.gettempdir(), f"dnnprov-{os.getuid() if hasattr(os, 'getuid') else 'cache'}")]


def _is_fit(cache: Path) -> bool:
    """Whether databases can lie in a folder, which is made, and belongs to nobody else."""
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_ours = not hasattr(os, "getuid") or cache.stat().st_uid == os.getuid()
    except OSError:
        return False
    return is_ours and os.access(cache, os.W_OK) and why_unfit(cache) is None


def _in_cache(cache: Path, store: Path) -> Path:
    """The path of a store's database in a cache; another store made later at the same path has another one."""
    what = os.fsencode(_real(store)) + b"\n" + _store_id(store)
    return cache / hashlib.sha256(what).hexdigest()[:16] / DATABASE_NAME


def _store_id(store: Path) -> bytes:
    """What tells a store from an earlier one at its path; nothing where that cannot be written."""
    path = store / _ID_FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    except OSError:
        return b""
    new = store / f".{_ID_FILE}.{secrets.token_hex(8)}"
    found = secrets.token_hex(16).encode() + b"\n"
    try:
        new.write_bytes(found)
        new.rename(path)
        return path.read_bytes()  # of two processes at once the later one wins
    except OSError:
        with suppress(OSError):
            new.unlink()
        return b""


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return path


def _file_system(folder: Path) -> str:
    """Type of the file system that a folder is on, `""` where unknown."""
    try:
        table = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # not Linux
        return ""
    real, best, found = str(_real(folder)), -1, ""
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        is_above = point in {"/", real} or real.startswith(f"{point}/")
        if is_above and len(point) >= best:  # a later mount at the same point covers the earlier
            best, found = len(point), after.split(" ")[0]
    return found


def _try_locks(folder: Path) -> str | None:
    """What SQLite would do: lock a part of a file, and share memory through it. Why that is impossible, if it is."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".locks-") as probe:
            try:
                fcntl.lockf(probe, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
                os.ftruncate(probe.fileno(), mmap.PAGESIZE)
                mmap.mmap(probe.fileno(), mmap.PAGESIZE, mmap.MAP_SHARED).close()
            except OSError as error:
                return error.strerror if error.errno in _NOT_SUPPORTED else None
    except OSError:  # nothing can be written here, which is for others to tell
        return None
    return None
