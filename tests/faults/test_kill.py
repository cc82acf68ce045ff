"""`kill -9` at random moments, a few rounds of what `make kill-rounds` does."""

from __future__ import annotations

from kill_rounds import kill_followers, kill_readers, kill_recorders


def test_every_call_that_returned_before_kill_9_is_in_the_database_once(tmp_path):
    assert kill_recorders(tmp_path / "store", 12, seed=2021) > 1000


def test_followers_that_are_killed_beside_a_training_leave_nothing_out_and_nothing_twice(tmp_path):
    assert kill_followers(tmp_path / "store", 10, seed=2021) == 10


def test_readers_that_are_killed_in_mid_ingest_leave_what_the_next_one_makes_whole(tmp_path):
    assert kill_readers(tmp_path, 10, seed=2021) >= 5
