"""Listens on an address until it is told to stop."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from dnnprov.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.journal.folder import StoreFolder

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 22000
"""Where clients of DfAnalyzer look for it."""

QUIET_SECONDS = 3600.0
"""Without a post, after which a run that no client named takes no more, and one whose tasks never ended is over."""

KEEP_ALIVE_SECONDS = 120
_BACKLOG = 2048
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
        folder: of the store; made with the first post.
        host: address to listen on.
        port: of it; 0 for any that is free.
        token: that requests must bring; `None` where none is needed.
        quiet_seconds: without a post, after which a run that nobody named takes no more.
        told: called with the URL once requests are taken.

    Raises:
        UsageError: the address is reached from outside and there is no token, or nothing can listen there.
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
    runs = ClientRuns(folder, quiet_seconds)
    runs.load()
    listening = _listen(host, port)
    app = make_app(RecordingThread(runs), folder.path, token)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    shown = f"[{host}]" if ":" in host else host
    told(f"http://{shown}:{listening.getsockname()[1]}")
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections.

    Raises:
        UsageError: nothing can listen there.
    """
    listening = None
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        if listening is not None:
            listening.close()
        taken = "; another server listens there: stop it, or name another port with --port"
        advice = taken if error.errno == errno.EADDRINUSE else ""
        raise UsageError(f"cannot listen on host={host!r}, port={port}: {error.strerror}{advice}") from None
    return listening
