"""A live training that its readers may not see: it is not taken for dead, and its journal stays."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.reader import is_process_gone, machine_boot, process_started
from dnnprov.model.events import SegmentOpened
from recorded import column_of

TRAINING = """
import dnnprov
with dnnprov.start_run("m") as run, run.task("Training") as training:
    training.log(epoch=1, loss=1.0)
    run.recorder.drain()
    print("ready", flush=True)
    input()
    training.log(epoch=2, loss=0.5)
"""

HIDEPID = "mount -t proc -o hidepid=2,gid=65533 proc /proc && exec setpriv --inh-caps=-all --bounding-set=-all "
"""What shared clusters do; another user's processes then have no folder in /proc, nor those of more capabilities."""

COVERED = "mount -t tmpfs tmpfs /proc/{pid} && exec "
"""The same of one process, which a user without rights may do too."""


def unseeing(pid, *command):
    """Run a command that does not see a process in /proc."""
    is_root = os.geteuid() == 0
    script = (HIDEPID if is_root else COVERED.format(pid=pid)) + '"$0" "$@"'
    return subprocess.run(
        ["unshare", "-m" if is_root else "-rm", "sh", "-c", script, sys.executable, *command],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def header_of(pid, **known):
    return SegmentOpened(**{"format": 1, "run": "r", "process": "p", "pid": pid, "boot": machine_boot(), **known})


def test_gc_by_who_may_not_see_the_training_leaves_its_journal_alone(store):
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING],
        env={**os.environ, "DNNPROV_STORE": str(store)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    seen = "import os, sys; print(os.path.exists(f'/proc/{sys.argv[1]}/stat'))"
    assert unseeing(process.pid, "-c", seen, str(process.pid)) == "False\n"
    said = unseeing(process.pid, "-m", "dnnprov", "--store", str(store), "runs")
    assert "running" in said
    unseeing(process.pid, "-m", "dnnprov", "--store", str(store), "gc", "--status", "crashed", "--yes")
    assert len(list(StoreFolder(store).open_segments())) == 1
    process.communicate("\n", timeout=60)
    assert process.returncode == 0
    assert column_of(store, "SELECT epoch FROM otrainingmodel ORDER BY epoch") == [1, 2]
    assert column_of(store, "SELECT status FROM run") == ["finished"]


def test_a_process_is_gone_only_where_it_cannot_be_there(monkeypatch):
    live = subprocess.Popen(["sleep", "60"])
    started = process_started(live.pid)
    assert is_process_gone(header_of(live.pid, started=started)) is False
    assert is_process_gone(header_of(live.pid, started=started - 1)) is True  # another had its pid
    assert is_process_gone(header_of(live.pid, started=None)) is None
    assert is_process_gone(header_of(live.pid, boot=None, host=os.uname().nodename)) is None
    for code in (errno.ENOENT, errno.EPERM, errno.EMFILE):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_text", _failing(OSError(code, os.strerror(code))))
            assert is_process_gone(header_of(live.pid, started=started)) is None
            patch.setattr(os, "kill", _failing(PermissionError()))  # as of another user's
            assert is_process_gone(header_of(live.pid, started=started)) is None
    live.kill()
    os.waitid(os.P_PID, live.pid, os.WEXITED | os.WNOWAIT)
    assert is_process_gone(header_of(live.pid, started=started)) is True  # a zombie
    live.wait()
    for known in ({"started": started}, {"started": None}, {"boot": None, "host": os.uname().nodename}):
        assert is_process_gone(header_of(live.pid, **known)) is True


@pytest.mark.parametrize("pid", [2**40, 2**62, -1, 0])
def test_a_pid_that_none_can_have_tells_nothing(pid):
    for known in ({"started": 5}, {"boot": None, "host": os.uname().nodename}):
        assert is_process_gone(header_of(pid, **known)) is not False


def test_no_descriptor_left_takes_no_process_for_gone():
    script = (
        "import os, resource, sys\n"
        "from dnnprov.journal.reader import is_process_gone, machine_boot, process_started\n"
        "from dnnprov.model.events import SegmentOpened\n"
        "started = process_started(os.getpid())\n"
        "whose = {'pid': os.getpid(), 'boot': machine_boot(), 'started': started}\n"
        "header = SegmentOpened(format=1, run='r', process='p', **whose)\n"
        "assert is_process_gone(header) is False\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (0, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "assert process_started(os.getpid()) is None\n"
        "print(is_process_gone(header))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "None\n"


def _failing(error):
    def fail(*_, **__):
        raise error

    return fail
