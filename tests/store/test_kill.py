from __future__ import annotations

from kill_rounds import run_rounds


def test_every_call_that_returned_before_kill_9_is_in_the_database_once(tmp_path):
    assert run_rounds(tmp_path / "store", 20, seed=2021) > 1000
