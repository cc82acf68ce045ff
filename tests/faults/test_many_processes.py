"""A few processes at once beside a follower, as `make many-processes` has 64."""

from __future__ import annotations

from many_processes import record


def test_processes_that_record_at_once_beside_a_follower_lose_nothing(tmp_path):
    assert record(tmp_path / "store", 8, 500).num_values == 4000
