"""The application of `mlflow server`, in one process: `python serve.py URI FOLDER`, which prints its port.

The command itself starts a dozen processes for other ends, and takes as many seconds.
"""

from __future__ import annotations

import os
import sys

import werkzeug.serving
from mlflow.server import ARTIFACT_ROOT_ENV_VAR, BACKEND_STORE_URI_ENV_VAR, app

os.environ[BACKEND_STORE_URI_ENV_VAR] = sys.argv[1]
os.environ[ARTIFACT_ROOT_ENV_VAR] = sys.argv[2]
server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
