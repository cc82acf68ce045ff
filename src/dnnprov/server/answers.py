"""Answers of the server: JSON, errors too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dnnprov.errors import PostRefusedError

Refuse: TypeAlias = "Callable[[int, str], Response]"

_encode = msgspec.json.Encoder().encode


class JsonAnswer(Response):
    """A value as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of it."""
        return _encode(content)


def refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> JsonAnswer:
    """The answer to what cannot be done; a client that is unknown is told how to say who it is."""
    known = {"WWW-Authenticate": 'Basic realm="dnnprov"'} if status == 401 else {}
    return JsonAnswer({"error": message}, status, {**known, **(headers or {})})


def refused_post(error: PostRefusedError) -> JsonAnswer:
    """The answer to a body that cannot be taken."""
    parts = {"error": str(error), "field": error.field, "value": error.shown, "expected": error.expected}
    return JsonAnswer({name: _writable(text) for name, text in parts.items()}, 400)


def _writable(text: str) -> str:
    """Text that UTF-8 can carry, whatever a client sent."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
