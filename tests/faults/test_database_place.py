"""Stores on file systems that are no place for SQLite: the database goes to a local cache, and that is said once.

A network file system cannot be mounted here, so the table of mounts is made to say that there is one; and locks that
do not work are had from the kernel, which refuses them to a process (`refused_locks`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dnnprov
from dnnprov.journal import database_place
from dnnprov.journal.database_place import find_database_place, why_unfit
from dnnprov.journal.folder import StoreFolder
from faults.scripts import run_script
from recorded import column_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="seccomp, by which locks are refused, is Linux's")

MOUNT = "36 35 98:0 / {point} rw,noatime shared:1 - {kind} server:/export rw\n"
ROOT = "21 1 8:1 / / rw,relatime - ext4 /dev/root rw\n"


def escaped(path):
    return str(path).replace("\\", r"\134").replace(" ", r"\040")


@pytest.fixture
def network(tmp_path, monkeypatch):
    """A folder on a network file system, and the homes of a user whose cache is local."""
    folder = tmp_path / "a network folder"
    folder.mkdir()
    table = tmp_path / "mounts"
    table.write_text(ROOT + MOUNT.format(point=escaped(folder.resolve()), kind="nfs4"))
    monkeypatch.setattr(database_place, "MOUNTS", table)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def record(store, step, name="m-1"):
    with dnnprov.start_run("m", store=store, name=name) as run:
        run.log(step=step, loss=1.0)


def ask(store, *arguments):
    """The command line in a process of its own, which sees the same table of mounts."""
    code = (
        "import sys; from pathlib import Path; from dnnprov.journal import database_place;"
        f"database_place.MOUNTS = Path({str(database_place.MOUNTS)!r});"
        "from dnnprov.cli.main import main; main(sys.argv[1:])"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "--store", str(store), *arguments], capture_output=True, text=True, check=False
    )


def test_the_database_of_a_store_on_a_network_file_system_lies_in_the_local_cache(network, tmp_path):
    store = network / "store"
    record(store, 1)
    asked = ask(store, "query", "SELECT COUNT(*) AS n FROM metric", "--json")
    assert json.loads(asked.stdout) == [{"n": 1}], asked.stderr
    place = find_database_place(store)
    assert place.path.is_file()
    assert place.path.is_relative_to(tmp_path / "cache" / "dnnprov")
    assert not list(store.glob("provenance.db*"))
    assert (place.path.parent / "store.txt").read_text() == f"{store}\n"
    assert place.path.parent.stat().st_mode & 0o077 == 0
    assert len(list(StoreFolder(store).archived_segments())) == 1  # journals stay where they are


def test_it_is_said_once_and_doctor_and_json_say_it_always(network):
    store = network / "store"
    record(store, 1)
    first, second = ask(store, "runs"), ask(store, "runs")
    assert first.stderr.count("where SQLite's locks are not safe") == 1
    assert str(find_database_place(store).path) in first.stderr
    assert "nfs4" in first.stderr
    assert second.stderr == ""
    for _ in range(2):
        examined = ask(store, "doctor")
        assert str(find_database_place(store).path) in examined.stdout
        assert "network file system (nfs4)" in examined.stdout
        assert examined.returncode == 0


def test_a_follower_of_such_a_store_works_on_that_database_and_one_at_a_time(network):
    store = network / "store"
    record(store, 1)
    followed = ask(store, "ingest", "--follow", "--idle", "0.1")
    assert followed.returncode == 0, followed.stderr
    assert find_database_place(store).path.is_file()
    assert find_database_place(store).path.with_name("follower.lock").exists()
    assert not [entry.name for entry in store.iterdir() if "provenance" in entry.name or "follower" in entry.name]


def test_a_store_made_anew_at_the_same_path_has_a_database_of_its_own(network):
    store = network / "store"
    record(store, 1, "old")
    assert json.loads(ask(store, "query", "SELECT name FROM run", "--json").stdout) == [{"name": "old"}]
    shutil.rmtree(store)
    record(store, 2, "new")
    assert json.loads(ask(store, "query", "SELECT name FROM run", "--json").stdout) == [{"name": "new"}]


def test_where_the_home_is_on_the_network_too_a_folder_for_temporary_files_is_taken(network, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(network / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "local"))
    (tmp_path / "local").mkdir()
    record(network / "store", 1)
    assert find_database_place(network / "store").path.is_relative_to(tmp_path / "local")


def test_a_cache_that_belongs_to_somebody_else_is_not_used(network, tmp_path, monkeypatch):
    (tmp_path / "cache" / "dnnprov").mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "local"))
    (tmp_path / "local").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: Path(tmp_path).stat().st_uid + 1)
    (network / "store").mkdir()
    assert find_database_place(network / "store").path == network / "store" / "provenance.db"  # none is fit


def test_a_folder_for_databases_that_somebody_asked_for_is_taken_and_not_remarked_upon(store, tmp_path, monkeypatch):
    monkeypatch.setenv("DNNPROV_CACHE", str(tmp_path / "wanted"))
    record(store, 1)
    record(tmp_path / "other", 2)
    assert column_of(store, "SELECT step FROM metric") == [1]
    assert column_of(tmp_path / "other", "SELECT step FROM metric") == [2]
    assert len(list((tmp_path / "wanted").glob("*/provenance.db"))) == 2
    assert not list(store.glob("provenance.db*"))


@pytest.mark.parametrize(
    ("kind", "is_fit"),
    [
        *((kind, False) for kind in ("nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "9p", "afs")),
        *((kind, False) for kind in ("fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.rclone")),
        *((kind, True) for kind in ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuseblk", "fuse.ntfs-3g")),
    ],
)
def test_file_systems_are_known_by_the_type_of_the_nearest_mount(tmp_path, monkeypatch, kind, is_fit):
    folder, table = tmp_path / "point" / "below", tmp_path / "mounts"
    folder.mkdir(parents=True)
    point = escaped((tmp_path / "point").resolve())
    lines = [ROOT, MOUNT.format(point=point, kind="nfs"), MOUNT.format(point=point + "er", kind="nfs")]
    table.write_text("".join([*lines, MOUNT.format(point=point, kind=kind), "garbage\n"]))
    monkeypatch.setattr(database_place, "MOUNTS", table)
    assert (why_unfit(folder) is None) == is_fit


@linux
def test_locks_that_do_not_work_are_found_by_trying(store, tmp_path):
    out, _ = run_script(
        f"""
        from pathlib import Path
        from faults.refused_locks import refuse_locks
        from dnnprov.journal.database_place import why_unfit
        print(why_unfit(Path({str(tmp_path)!r})))
        refuse_locks()
        print(why_unfit(Path({str(tmp_path)!r})))
        """,
        store,
    )
    assert out == f"None\nlocks do not work in {str(tmp_path)!r} (No locks available)\n"


@linux
def test_where_no_lock_works_anywhere_recording_goes_on_and_asking_says_why(store):
    out, _ = run_script(
        """
        import warnings, dnnprov
        from faults.refused_locks import refuse_locks
        warnings.simplefilter("error")
        refuse_locks()
        with dnnprov.start_run("m") as run:
            run.log(step=1, loss=1.0)
        try:
            dnnprov.open()
        except dnnprov.DnnprovError as error:
            print(error)
        """,
        store,
    )
    assert "locks do not work" in out
    assert column_of(store, "SELECT step FROM metric") == [1]
