from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from dnnprov.integrations.when_imported import prepare_when_imported, run_when_imported


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Writes modules that can be imported, and forgets them afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = list(sys.meta_path), set(sys.modules)

    def write(**sources):
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        importlib.invalidate_caches()

    yield write
    sys.meta_path[:] = before[0]
    for name in set(sys.modules) - before[1]:
        if name.startswith(("framework_", "integration_")):
            del sys.modules[name]


@pytest.mark.parametrize("is_first", [True, False], ids=["framework first", "framework later"])
def test_the_integration_follows_the_framework_in_either_order(modules, is_first):
    modules(framework_a="ready = True", integration_a="import framework_a\nframework_a.seen = framework_a.ready")
    if is_first:
        importlib.import_module("framework_a")
    prepare_when_imported("framework_a", "integration_a")
    prepare_when_imported("framework_a", "integration_a")
    assert ("integration_a" in sys.modules) is is_first
    framework = importlib.import_module("framework_a")
    assert framework.seen
    assert (
        type(framework.__loader__)
        is type(framework.__spec__.loader)
        is type(importlib.import_module("json").__loader__)
    )
    assert importlib.reload(framework) is framework
    del sys.modules["framework_a"]
    found = importlib.util.find_spec("framework_a")
    assert type(found.loader) is type(framework.__loader__), "it is not waited for any more"


def test_two_jobs_wait_for_one_framework_and_each_is_done_once(modules):
    modules(framework_h="ready = True")
    done = []
    for purpose in ("one", "another", "one"):
        run_when_imported("framework_h", purpose, lambda purpose=purpose: done.append(purpose))
    assert importlib.util.find_spec("framework_h") is not None
    assert done == []
    framework = importlib.import_module("framework_h")
    assert sorted(done) == ["another", "one"]
    assert type(framework.__loader__) is type(importlib.import_module("json").__loader__)
    assert importlib.util.find_spec("framework_no_such") is None


def test_an_integration_that_cannot_be_imported_leaves_the_framework_alone(modules):
    modules(framework_b="ready = True", integration_b="raise ImportError('an older framework')")
    prepare_when_imported("framework_b", "integration_b")
    assert importlib.import_module("framework_b").ready
    assert "integration_b" not in sys.modules


def test_a_framework_that_fails_raises_what_it_always_did(modules):
    modules(framework_c="raise RuntimeError('no backend')", integration_c="")
    prepare_when_imported("framework_c", "integration_c")
    with pytest.raises(RuntimeError, match="no backend"):
        importlib.import_module("framework_c")
    assert "integration_c" not in sys.modules
    prepare_when_imported("framework_d", "integration_c")
    with pytest.raises(ModuleNotFoundError, match="framework_d"):
        importlib.import_module("framework_d")


def test_who_only_asks_whether_the_framework_is_there_does_not_use_the_watch_up(modules):
    """As transformers and others do, before anybody imports Keras."""
    modules(framework_e="ready = True", integration_e="")
    prepare_when_imported("framework_e", "integration_e")
    found = importlib.util.find_spec("framework_e")
    assert found.loader.get_filename("framework_e") == found.origin
    assert "integration_e" not in sys.modules
    importlib.import_module("framework_e")
    assert "integration_e" in sys.modules


def test_a_framework_that_loads_at_the_second_try_is_followed_then(modules, monkeypatch):
    """As Keras does in a notebook where `KERAS_BACKEND` named one that is not installed."""
    source = "import os\nif os.environ['FRAMEWORK_F'] != 'right': raise ImportError('no such backend')"
    modules(framework_f=source, integration_f="")
    prepare_when_imported("framework_f", "integration_f")
    monkeypatch.setenv("FRAMEWORK_F", "wrong")
    with pytest.raises(ImportError, match="no such backend"):
        importlib.import_module("framework_f")
    assert "integration_f" not in sys.modules
    monkeypatch.setenv("FRAMEWORK_F", "right")
    importlib.import_module("framework_f")
    assert "integration_f" in sys.modules


def test_a_framework_that_another_finder_finds_is_found_and_followed(modules, tmp_path):
    """As one that is installed in place, or loaded by a hook that checks types."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "framework_g.py").write_text("ready = True", encoding="utf-8")

    class Finder:
        def find_spec(self, fullname, path, target=None):
            if fullname != "framework_g":
                return None
            return importlib.util.spec_from_file_location(fullname, tmp_path / "elsewhere" / "framework_g.py")

    modules(integration_g="")
    sys.meta_path.append(Finder())
    prepare_when_imported("framework_g", "integration_g")
    assert importlib.import_module("framework_g").ready
    assert "integration_g" in sys.modules


def test_threads_that_import_framework_and_integration_at_once_all_get_them_whole(modules):
    modules(
        framework_h="import time\ntime.sleep(0.05)\nready = True",
        integration_h="import framework_h\nimport time\ntime.sleep(0.05)\nready = framework_h.ready",
    )
    prepare_when_imported("framework_h", "integration_h")
    names = ["framework_h", "integration_h"] * 4
    with ThreadPoolExecutor(len(names)) as pool:
        assert all(one.ready for one in pool.map(importlib.import_module, names))


@pytest.mark.filterwarnings("ignore:.*__array__.*:DeprecationWarning")  # Keras 3.15 itself under NumPy 2
def test_a_model_read_before_dnnprov_is_used_is_known_for_what_it_is(tmp_path, store):
    """Whether `import dnnprov` stands before `import keras` or after it."""
    script = """
        import sys
        import {first}
        assert "{second}" not in sys.modules
        import {second}
        import numpy as np
        model = keras.models.load_model("model.keras")
        callback = dnnprov.keras.ProvenanceCallback("tuned")
        model.fit(np.zeros((8, 2)), np.zeros(8), verbose=0, callbacks=[callback])
        callback.finish()
        files = dnnprov.open().sql("SELECT relation, role FROM file")
        assert [tuple(row.values()) for row in files] == [("used", "model")], files
    """
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.keras")
    for first, second in (("dnnprov", "keras"), ("keras", "dnnprov")):
        place = tmp_path / first
        place.mkdir()
        (place / "model.keras").write_bytes((tmp_path / "model.keras").read_bytes())
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script.format(first=first, second=second))],
            cwd=place,
            env={**os.environ, "DNNPROV_STORE": str(place / "store")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
