"""Who may ask: those with the token where there is one, and no pages of other sites in anybody's browser.

Every program of the machine can reach a server on 127.0.0.1, and so can every page that a browser on it shows: a form
may post to any address, and a name of anybody may lead to 127.0.0.1. So the headers `Origin` and `Host` are looked at.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import secrets
from typing import TYPE_CHECKING

from dnnprov.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from dnnprov.server.answers import Refuse


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check_address(host: str, token: str | None) -> None:
    """Make sure that nobody from outside gets in without a token.

    Raises:
        UsageError: the address is reached from other machines, and there is no token; or it is too short.
    """
    if token is not None and len(token) < MIN_TOKEN:
        raise UsageError(f"a token of {len(token)} characters is soon guessed; expected {MIN_TOKEN} or more")
    if token is None and not is_loopback(host):
        raise UsageError(
            f"host={host!r} is reached from other machines, which takes a token: --token TEXT or DNNPROV_TOKEN; "
            "or listen on 127.0.0.1, the default"
        )


MIN_TOKEN = 16


class Guard:
    """Lets requests through to an app, or refuses them.

    Args:
        app: behind it.
        token: that requests must bring, as `Authorization: Bearer TOKEN`, or as the password of a URL, which those set
            whose client knows no headers; `None` where none is needed.
        refuse: makes the answer to one that is refused.
    """

    def __init__(self, app: ASGIApp, token: str | None, refuse: Refuse) -> None:
        self._app = app
        self._token = token
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request; the paths of clients that write slashes twice are mended."""
        if scope["type"] == "http":
            scope["path"] = re.sub("/{2,}", "/", scope["path"])
            headers = dict(scope["headers"])
            refused = self._find_fault(headers)
            if refused is not None:
                await self._refuse(*refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _find_fault(self, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and origin.partition("://")[2] != host:
            return 403, f"the page of {origin!r} may not ask this server; ask from a program"
        if self._token is not None:
            given = _token_in(headers.get(b"authorization", b"").decode("latin-1"))
            if not secrets.compare_digest(given.encode(), self._token.encode()):
                return 401, "the token is missing or wrong; expected the header Authorization: Bearer TOKEN"
        elif host and not is_loopback(re.sub(r":\d+$", "", host)):
            return 403, f"Host: {host!r} came; expected localhost or 127.0.0.1, as this server has no token"
        return None


def _token_in(authorization: str) -> str:
    kind, _, value = authorization.strip().partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
