"""Task posts to `dnnprov serve` from 64 clients at once, each over a connection that stays open.

A client posts an epoch of its task, waits for the answer, and posts the next one. The server is a process, and the
clients are another, which share the machine. Each post is on the disk before it is answered. Afterwards all epochs are
counted in the database.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import dnnprov
from benchmarks.child import ROOT, run_child
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import median, percentile

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measurement import Size

NUM_CLIENTS = 64
NUM_ROUNDS = {"quick": 1, "full": 5, "large": 5}
NUM_POSTS = {"quick": 3, "full": 300, "large": 300}
"""Of each client."""


def measure(size: Size) -> list[Measurement]:
    """Posts a second and the latency of each; all clients of runs of their own, and all of one run."""
    rates: list[float] = []
    rates_of_one: list[float] = []
    waits: list[float] = []
    waits_of_one: list[float] = []
    for _ in range(NUM_ROUNDS[size]):
        for has_own, found_rates, found_waits in ((True, rates, waits), (False, rates_of_one, waits_of_one)):
            rate, seconds = measure_round(NUM_POSTS[size], has_own=has_own)
            found_rates.append(rate)
            found_waits.extend(seconds)
    one_run = f"{median(rates_of_one):,.0f} posts/s, p99 {1000 * percentile(waits_of_one, 99):.1f} ms"
    return [
        Measurement(
            f"task posts of {NUM_CLIENTS} clients, each durable before it is answered",
            median(rates),
            "posts/s",
            reach=2000,
            is_floor=True,
            details={"all clients tell of one run": one_run, "lowest round": f"{min(rates):,.0f} posts/s"},
        ),
        Measurement(
            "from post to answer, p99",
            1000 * percentile(waits, 99),
            "ms",
            reach=50,
            details={"median": f"{1000 * median(waits):.1f} ms", "longest": f"{1000 * max(waits):.1f} ms"},
        ),
    ]


def measure_round(num_posts: int, *, has_own: bool) -> tuple[float, list[float]]:
    """Posts a second, and the seconds that each took."""
    with new_store() as store:
        command = [sys.executable, "-m", "dnnprov", "serve", "--port", "0", "--store", str(store)]
        server = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            line = server.stderr.readline() if server.stderr is not None else ""
            found = re.search(r":(\d+)", line)
            expect("the server serves", found is not None, True)
            port = int(found[1]) if found else 0
            rate, waits = run_child(post_all, port=port, num_posts=num_posts, has_own=has_own)
        finally:
            server.terminate()
            server.wait()
            if server.stderr is not None:
                server.stderr.close()
        check(store, num_posts, has_own=has_own)
    return rate, waits


def check(store: Path, num_posts: int, *, has_own: bool) -> None:
    """Make sure that nothing is lost or there twice."""
    with dnnprov.open(store) as history:
        (row,) = history.sql("SELECT COUNT(*) AS n, COUNT(DISTINCT task_id) AS tasks FROM oTrainingModel")
        expect("epochs", (row["n"], row["tasks"]), (NUM_CLIENTS * num_posts, NUM_CLIENTS))
        expect("runs", len(history.runs()), NUM_CLIENTS if has_own else 1)


def post_all(port: int, num_posts: int, *, has_own: bool) -> tuple[float, list[float]]:
    """In a child: all clients at once."""
    return asyncio.run(_post_all(port, num_posts, has_own=has_own))


async def _post_all(port: int, num_posts: int, *, has_own: bool) -> tuple[float, list[float]]:
    loop = asyncio.get_running_loop()
    attributes = [{"name": name, "type": "NUMERIC"} for name in ("EPOCH", "LOSS", "ACCURACY")]
    sets = [{"tag": "oTrainingModel", "type": "OUTPUT", "attributes": attributes}]
    declare = _request("dataflow", {"tag": "alexnet", "transformations": [{"tag": "Training", "sets": sets}]})
    await _talk(loop, port, [declare])
    scripts = [
        [
            _request(
                "task",
                {
                    "dataflow": "alexnet", "transformation": "training", "status": "RUNNING", "performances": [],
                    "id": str(number), "exec": f"run-{number if has_own else 0}", "dependency": "", "workspace": "",
                    "sets": [{"tag": "oTrainingModel", "elements": [[epoch, 1 / epoch, 1 - 1 / epoch]]}],
                },
            )
            for epoch in range(1, num_posts + 1)
        ]
        for number in range(NUM_CLIENTS)
    ]  # fmt: skip
    begin = time.perf_counter()
    waits = await asyncio.gather(*(_talk(loop, port, script) for script in scripts))
    seconds = time.perf_counter() - begin
    return NUM_CLIENTS * num_posts / seconds, [one for several in waits for one in several]


def _request(kind: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = f"POST //pde/{kind}/json HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


async def _talk(loop: asyncio.AbstractEventLoop, port: int, requests: list[bytes]) -> list[float]:
    done: asyncio.Future[list[float]] = loop.create_future()
    transport, _ = await loop.create_connection(lambda: _Client(requests, done), "127.0.0.1", port)
    try:
        return await done
    finally:
        transport.close()


class _Client(asyncio.Protocol):
    """Sends one request after the other, each when the one before is answered."""

    def __init__(self, requests: list[bytes], done: asyncio.Future[list[float]]) -> None:
        self._requests = iter(requests)
        self._done = done
        self._waits: list[float] = []
        self._answer = b""
        self._transport: asyncio.Transport | None = None
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment]
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take an answer, or a part of one: a JSON object."""
        self._answer += data
        if self._answer.endswith(b"}"):
            self._waits.append(time.perf_counter() - self._sent_at)
            if not self._answer.startswith(b"HTTP/1.1 200"):
                self._done.set_exception(RuntimeError(self._answer.decode()))
                return
            self._answer = b""
            self._send()

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._done.set_result(self._waits)
        elif self._transport is not None:
            self._sent_at = time.perf_counter()
            self._transport.write(request)
