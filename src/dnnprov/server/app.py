"""The web application: the addresses of DfAnalyzer's services, and the document that describes them."""

from __future__ import annotations

import functools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Route

from dnnprov.errors import DnnprovError, PostRefusedError
from dnnprov.model.dfanalyzer.json_form import read_dataflow, read_json, read_task
from dnnprov.model.dfanalyzer.text_form import read_dataflow_text, read_tasks_text
from dnnprov.server.answers import JsonAnswer, refusal, refused_post
from dnnprov.server.dataflows import list_dataflows, show_dataflow
from dnnprov.server.guard import Guard
from dnnprov.server.openapi import openapi_document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from dnnprov.server.recording_thread import Post, RecordingThread

MAX_BODY_BYTES = 32 << 20

_DISCARDED_BYTES = 1 << 30
"""Of a body that is too large: read on, and forgotten, so that its client comes to read the answer."""

_LARGE_BYTES = 64 << 10
"""A body from here on is read beside the loop, which others wait for."""


class _TooLargeError(Exception):
    """A body is larger than is taken."""


def make_app(recording: RecordingThread, store: Path, token: str | None = None) -> ASGIApp:
    """The application.

    Args:
        recording: that posts go to; started and stopped with the application.
        store: folder that questions are answered from.
        token: that requests must bring; `None` where none is needed.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        recording.start()
        try:
            yield
        finally:
            await run_in_threadpool(recording.stop)

    posts: dict[str, Callable[[bytes], list[Post]]] = {
        "/pde/dataflow/json": lambda body: [read_dataflow(read_json(body))],
        "/pde/task/json": lambda body: [read_task(read_json(body))],
        "/pde/dataflow": lambda body: [read_dataflow_text(body)],
        "/pde/task": lambda body: list(read_tasks_text(body)),
    }
    app = Starlette(
        routes=[
            *(
                Route(path, functools.partial(_post, read=read, recording=recording), methods=["POST"])
                for path, read in posts.items()
            ),
            Route("/api/dataflows/list", _asked(lambda _: list_dataflows(store))),
            Route("/api/dataflows/{dataflow:path}", _asked(lambda request: show_dataflow(store, request))),
            Route("/openapi.json", _describe),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: _refuse_request, Exception: _tell_failure},
    )
    return Guard(app, token, refusal)


async def _post(request: Request, read: Callable[[bytes], list[Post]], recording: RecordingThread) -> JsonAnswer:
    """Take a post: read it as a whole, and answer when it is durable."""
    try:
        body = await _body(request)
        posts = await run_in_threadpool(read, body) if len(body) > _LARGE_BYTES else read(body)
        recorded = await recording.record(posts)
    except PostRefusedError as error:
        return refused_post(error)
    except _TooLargeError:
        return refusal(413, f"the body is larger than {MAX_BODY_BYTES >> 20} MiB; send its elements in several posts")
    except (OSError, DnnprovError) as error:
        return refusal(503, f"it could not be recorded: {error}; send it again later")
    last = recorded[-1]
    return JsonAnswer(
        {
            "recorded": not last.is_waiting,
            "run": last.run.name if last.run else None,
            "uid": last.run.uid if last.run else None,
            **({"waits_for": posts[-1].dataflow} if last.is_waiting else {}),  # type: ignore[union-attr]
        }
    )


async def _body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        _TooLargeError: it is larger than is taken.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= MAX_BODY_BYTES:
            parts.append(part)
        else:
            parts.clear()
        if size > _DISCARDED_BYTES:
            break
    if size > MAX_BODY_BYTES:
        raise _TooLargeError
    return b"".join(parts)


def _asked(answer: Callable[[Request], Any]) -> Callable[[Request], Awaitable[JsonAnswer]]:
    """An address that answers from the store."""

    async def ask(request: Request) -> JsonAnswer:
        try:
            found = await run_in_threadpool(answer, request)
        except LookupError as error:
            return refusal(404, str(error))
        except (OSError, DnnprovError) as error:
            return refusal(503, str(error))
        return JsonAnswer(found)

    return ask


async def _describe(_: Request) -> JsonAnswer:
    return JsonAnswer(openapi_document())


async def _refuse_request(request: Request, error: Exception) -> JsonAnswer:
    assert isinstance(error, HTTPException)  # noqa: S101 - as it was registered
    if error.status_code == 404:
        known = ", ".join(openapi_document()["paths"])
        return refusal(404, f"{request.url.path!r} is no address of this server; there is {known}")
    return refusal(error.status_code, f"{request.method} {request.url.path}: {error.detail}", error.headers)


async def _tell_failure(_: Request, error: Exception) -> JsonAnswer:
    return refusal(500, f"unexpected {type(error).__name__}: {error}; please report it")
