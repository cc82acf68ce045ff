"""A server as people have it: a process of its own, asked over sockets."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys

import pytest


class Server:
    """`dnnprov serve` on a free port."""

    def __init__(self, store, *options, **environment):
        self.store = store
        self.connections = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dnnprov", "serve", "--port", "0", "--store", str(store), *options],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        line = self.process.stderr.readline()
        found = re.search(r"http://(\S+):(\d+)", line)
        if found is None:
            pytest.fail(f"it does not serve: {line}{self.process.stderr.read()}")
        self.host, self.port = found[1], int(found[2])

    def connect(self):
        self.connections.append(http.client.HTTPConnection(self.host, self.port, timeout=60))
        return self.connections[-1]

    def ask(self, method, path, body=None, connection=None, headers=None):
        """Status and answer; a body that is no bytes goes as JSON."""
        used = connection or self.connect()
        content = body if isinstance(body, bytes | type(None)) else json.dumps(body).encode()
        used.request(method, path, content, headers or {})
        answer = used.getresponse()
        read = json.loads(answer.read())
        if connection is None:
            used.close()
        return answer.status, read

    def post(self, path, body, connection=None):
        """The answer to a post that is taken."""
        status, answer = self.ask("POST", path, body, connection)
        assert status == 200, answer
        return answer

    def dataflow(self, tag, *transformations):
        return self.post("//pde/dataflow/json", {"tag": tag, "transformations": list(transformations)})

    def task(self, **fields):
        return self.post("//pde/task/json", {"dataflow": "alexnet", "transformation": "training", "id": "1", **fields})

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) in (0, -signal.SIGTERM)


@pytest.fixture
def serve(store):
    """Starts a server of the test's store; ends those that still run."""
    pytest.importorskip("uvicorn", reason="the extra `server` is not installed: pip install 'dnnprov[server]'")
    started = []

    def start(*options, **environment):
        started.append(Server(store, *options, **environment))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.wait()
        server.process.stderr.close()
        for connection in server.connections:
            connection.close()


def transformation(tag, *sets):
    return {"tag": tag, "sets": list(sets), "programs": []}


def data_set(tag, kind, **types):
    return {"tag": tag, "type": kind, "attributes": [{"name": name, "type": one} for name, one in types.items()]}


@pytest.fixture
def training():
    """The transformation Training as a client declares it."""
    return transformation(
        "Training",
        data_set("iTrainingModel", "INPUT", OPTIMIZER_NAME="TEXT", LEARNING_RATE="NUMERIC", NUM_EPOCHS="NUMERIC"),
        data_set("oTrainingModel", "OUTPUT", EPOCH="NUMERIC", LOSS="NUMERIC"),
    )


@pytest.fixture
def declared():
    """Makes transformations and sets as a client declares them."""
    return transformation, data_set
