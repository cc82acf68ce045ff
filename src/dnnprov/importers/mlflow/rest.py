"""Asks the REST interface of an MLflow server, version 2.0, page by page.

Who asks is told as MLflow's own clients tell it: by `MLFLOW_TRACKING_TOKEN`, or `MLFLOW_TRACKING_USERNAME` and
`MLFLOW_TRACKING_PASSWORD`, or a name and password in the address. None of these stands in a message or a journal.
"""

from __future__ import annotations

import base64
import http.client
import os
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

import msgspec

from dnnprov.errors import ImportSourceError
from dnnprov.importers.mlflow.answers import Page, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AnyPage = TypeVar("AnyPage", bound=Page)

_TIMEOUT_SECONDS = 120.0
_WAITS_SECONDS = (0.5, 2.0, 8.0)
"""Before a question that a busy server did not answer is asked again."""

_BUSY = frozenset({429, 502, 503, 504})
_NOT_THERE = frozenset({404, 405})
_MAX_SHOWN = 200


class NotThereError(Exception):
    """The server has no such question: it is older, or newer."""


class RestClient:
    """Asks one server.

    Args:
        address: of it, `http://...` or `https://...`.

    Attributes:
        address: the same without a name and password.
        num_bytes: of all answers.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        self.address = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self.num_bytes = 0
        self._headers = {"Accept": "application/json", "User-Agent": "dnnprov", **_authorization(parts)}
        if not parts.hostname:
            raise ImportSourceError(self.address, "it names no server; expected such as http://localhost:5000")

    def pages(
        self, question: str, kind: type[AnyPage], values: Mapping[str, Any], *, is_post: bool = False
    ) -> Iterator[AnyPage]:
        """The pages of an answer.

        Args:
            question: below the address of the interface.
            kind: of page.
            values: of the question; those that are `None` are left out.
            is_post: whether they stand in a body, else in the address.

        Raises:
            NotThereError: the server does not know the question.
            ImportSourceError: it gives no answer, or none that is such pages.
        """
        token: str | None = None
        seen: set[str] = set()
        while True:
            given = {name: value for name, value in {**values, "page_token": token}.items() if value is not None}
            page = self._ask(
                question if is_post else f"{question}?{urlencode(given)}", given if is_post else None, kind
            )
            yield page
            token = page.next_page_token or None
            if token is None:
                return
            if token in seen:  # some versions of MLflow answer with the same page for ever
                raise ImportSourceError(self.address, f"its answer to {question!r} goes round in circles")
            seen.add(token)

    def _ask(self, question: str, body: dict[str, Any] | None, kind: type[AnyPage]) -> AnyPage:
        address = f"{self.address}/api/2.0/mlflow/{question}"
        content = None if body is None else msgspec.json.encode(body)
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        request = urllib.request.Request(address, data=content, headers=headers)  # noqa: S310 - http or https, see above
        answer = self._answer(request)
        self.num_bytes += len(answer)
        try:
            return msgspec.json.decode(answer, type=kind, strict=False)  # integers of 64 bits may stand there as texts
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            shown = answer[:60].decode("utf-8", "backslashreplace")
            raise ImportSourceError(
                self.address,
                f"its answer to {question.partition('?')[0]!r} begins {shown!r} ({error}); expected an MLflow server",
            ) from None

    def _answer(self, request: urllib.request.Request) -> bytes:
        for wait in (*_WAITS_SECONDS, None):
            try:
                with _OPENER.open(request, timeout=_TIMEOUT_SECONDS) as response:
                    content: bytes = response.read()
                    return content
            except urllib.error.HTTPError as error:
                if error.code not in _BUSY or wait is None:
                    raise self._refused(error) from None
            except (OSError, http.client.HTTPException) as error:
                refused = isinstance(getattr(error, "reason", None), ConnectionRefusedError | None)
                if wait is None or refused:
                    reason = getattr(error, "reason", None) or error
                    raise ImportSourceError(self.address, f"the server does not answer: {reason}") from None
            time.sleep(wait)
        raise AssertionError  # the last round returned or raised

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        if error.code in _NOT_THERE:
            return NotThereError(self.address)
        try:
            told = msgspec.json.decode(error.read(), type=Refusal).message
        except (msgspec.DecodeError, UnicodeDecodeError, OSError, http.client.HTTPException):
            told = ""
        hint = {
            401: "; set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
            403: "; the account may not read it",
        }.get(error.code, "")
        return ImportSourceError(
            self.address, f"the server answers {error.code} {error.reason}: {told[:_MAX_SHOWN] or 'no reason'}{hint}"
        )


class _SameServer(urllib.request.HTTPRedirectHandler):
    """Follows a redirection to the same server only: another one is not to be told who asks."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            raise urllib.error.HTTPError(req.full_url, code, f"leads to {urlsplit(newurl).netloc}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_SameServer)


def _authorization(parts: Any) -> dict[str, str]:
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if parts.username:
        user, password = unquote(parts.username), unquote(parts.password or "")
    if user is not None and password is not None:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}
    return {"Authorization": f"Bearer {token}"} if token else {}
