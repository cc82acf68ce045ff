from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnprov.model.names import MAX_BYTES, RESERVED_WORDS, plain_name, table_name, unique_name


@given(st.text())
def test_every_name_becomes_a_safe_identifier(name):
    plain = plain_name(name)
    assert plain
    assert set(plain) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert len(plain.encode()) <= MAX_BYTES
    assert plain not in RESERVED_WORDS


@given(st.lists(st.text(max_size=80), max_size=30))
def test_unique_names_stay_unique_and_short(names):
    taken: set[str] = set()
    for name in names:
        unique = unique_name(name, taken)
        assert unique not in taken
        assert len(unique) <= MAX_BYTES
        taken.add(unique)


def test_compatibility_characters_are_normalised_before_they_are_replaced():
    assert plain_name("ﬁlter Ｎame") == "filter_name"


def test_a_table_that_would_collide_with_ours_gets_a_prefix():
    assert table_name("run", {"run"}, set()) == "ds_run"
    assert table_name("Run", {"run"}, {"ds_run"}) == "ds_run_2"
    assert table_name("sqlite_master", {"run"}, set()) == "ds_sqlite_master"


@pytest.mark.parametrize("word", sorted(RESERVED_WORDS))
def test_a_reserved_word_is_usable_unquoted_after_it_was_renamed(word):
    connection = sqlite3.connect(":memory:")
    name = plain_name(word)
    connection.execute(f"CREATE TABLE {name} ({name} INTEGER)")
    assert connection.execute(f"SELECT {name} FROM {name} WHERE {name} = 1 ORDER BY {name}").fetchall() == []


def test_the_reserved_words_of_this_sqlite_are_all_known():
    keywords = "add all alter and as between case check collate commit create default delete distinct drop else end"
    for word in keywords.split():
        connection = sqlite3.connect(":memory:")
        try:
            connection.execute(f"CREATE TABLE t ({word} INTEGER)")
        except sqlite3.OperationalError:
            assert word in RESERVED_WORDS, word
