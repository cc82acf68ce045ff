"""A disk that can be filled and freed: a small tmpfs where one may be mounted, else a limit on the size of files.

`run_on_small_disk` runs a script in a process of its own, and there `SmallDisk()` is the disk. The limit is what a
quota is to a process: no file may grow, an old one or a new one, until there is room.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
import tempfile
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER, _KIND = "DNNPROV_TEST_DISK", "DNNPROV_TEST_DISK_KIND"
_MOUNT = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"'


class SmallDisk:
    """The small disk of a script that `run_on_small_disk` runs.

    Attributes:
        folder: on it.
    """

    def __init__(self) -> None:
        self.folder = Path(os.environ[_FOLDER])
        self._is_mounted = os.environ[_KIND] == "tmpfs"
        self._filler = self.folder / "filler"
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        """Leave no room for another block."""
        if not self._is_mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, self._limits[1]))
            return
        with self._filler.open("ab", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError as error:
                assert error.errno == errno.ENOSPC, error

    def free(self) -> None:
        """Make room again."""
        if self._is_mounted:
            self._filler.unlink(missing_ok=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


def run_on_small_disk(source: str, folder: Path, kind: str = "any", **environment: str) -> Any:
    """Run a script where `SmallDisk` works; what it prints last is JSON, which is returned.

    Args:
        source: of the script.
        folder: that is to be the disk.
        kind: tmpfs | limit; `any` takes the first where it may be mounted.
        environment: more variables.
    """
    folder.mkdir(exist_ok=True)
    kind = ("tmpfs" if may_mount() else "limit") if kind == "any" else kind
    script = [sys.executable, "-W", "always", "-c", textwrap.dedent(source)]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", _MOUNT, str(folder), *script] if kind == "tmpfs" else script,
        env={
            **os.environ,
            _FOLDER: str(folder),
            _KIND: kind,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@cache
def may_mount() -> bool:
    """Whether this user may mount, in a name space of its own."""
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tempfile.gettempdir()]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
