"""Listens on an address until it is told to stop."""

from __future__ import annotations

import errno
import fcntl
import resource
import socket
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from dnnprov.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dnnprov.journal.folder import StoreFolder

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 22000
"""Where clients of DfAnalyzer look for it."""

QUIET_SECONDS = 3600.0
"""Without a post, after which a run that no client named takes no more, and one whose tasks never ended is over."""

KEEP_ALIVE_SECONDS = 120
_BACKLOG = 2048
_MAX_FILES = 65_536
_GRACE_SECONDS = 10


def serve(
    folder: StoreFolder,
    host: str,
    port: int,
    token: str | None,
    quiet_seconds: float,
    told: Callable[[str], None],
) -> None:
    """Serve a store until SIGINT or SIGTERM.

    Args:
        folder: of the store; made where it is not there.
        host: address to listen on.
        port: of it; 0 for any that is free.
        token: that requests must bring; `None` where none is needed.
        quiet_seconds: without a post, after which a run that nobody named takes no more.
        told: called with the URL once requests are taken.

    Raises:
        UsageError: the address is reached from outside and there is no token, nothing can listen there, or another
            server serves the store.
        OSError: the folder cannot be made or written.
        MissingExtraError: the extra `server` is not installed.
        DnnprovError: the store cannot be read.
    """
    try:
        import uvicorn  # noqa: PLC0415 - of an extra

        from dnnprov.server.app import make_app  # noqa: PLC0415 - likewise
    except ImportError:
        raise MissingExtraError("the server", "server") from None
    from dnnprov.server.client_runs import ClientRuns  # noqa: PLC0415 - what follows an extra's absence need not load
    from dnnprov.server.guard import check_address  # noqa: PLC0415 - likewise
    from dnnprov.server.recording_thread import RecordingThread  # noqa: PLC0415 - likewise

    check_address(host, token)
    _allow_many_files()
    with _alone(folder), _listening(host, port) as listening:
        runs = ClientRuns(folder, quiet_seconds)
        runs.load()
        config = uvicorn.Config(
            make_app(RecordingThread(runs), folder.path, token),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        shown = f"[{host}]" if ":" in host else host
        told(f"http://{shown}:{listening.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[listening])


def _allow_many_files() -> None:
    """Let this process have as many files open as it may: each run under way has one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_FILES if most == resource.RLIM_INFINITY else min(most, _MAX_FILES)
    with suppress(OSError, ValueError):  # where the system allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


@contextmanager
def _alone(folder: StoreFolder) -> Iterator[None]:
    """Hold the lock of a store's server, as long as this process lives: two would make two runs of one execution.

    Raises:
        UsageError: another server serves the store.
        OSError: the folder cannot be made or written.
    """
    folder.create()
    with folder.server_lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"another server serves the store {str(folder.path)!r}; post to that one, or stop it"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that takes connections.

    Raises:
        UsageError: nothing can listen there.
    """
    with ExitStack() as opened:
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            listening = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except OSError as error:
            taken = "; another server listens there: stop it, or name another port with --port"
            advice = taken if error.errno == errno.EADDRINUSE else ""
            raise UsageError(f"cannot listen on host={host!r}, port={port}: {error.strerror}{advice}") from None
        yield listening
