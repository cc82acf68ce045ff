from __future__ import annotations

from rich.cells import cell_len

from dnnprov.analysis.table import cell_text, html_table, text_table


def test_columns_are_aligned_numbers_to_the_right():
    assert text_table(["epoch", "name"], [(1, "a"), (10, None)]) == (
        "epoch  name\n─────  ────\n    1  a\n   10\n2 rows"
    )


def test_wide_characters_keep_the_columns_aligned():
    lines = text_table(["名前", "x"], [("日本語", 1), ("ab", 22)]).splitlines()[:-1]
    assert len({cell_len(line) for line in lines}) == 1


def test_many_rows_are_shown_by_their_first_and_last():
    lines = text_table(["n"], [(number,) for number in range(1000)], max_rows=5).splitlines()
    assert [line.strip() for line in lines[2:]] == ["0", "1", "2", "…", "998", "999", "1,000 rows"]


def test_wide_tables_and_long_values_are_cut_and_told():
    text = text_table([f"column_{number}" for number in range(50)], [["x" * 1000] * 50])
    assert max(cell_len(line) for line in text.splitlines()) <= 120
    assert text.endswith("1 row, 48 more columns")
    assert "x" * 39 + "…" in text


def test_one_column_is_shown_however_wide_and_no_column_is_no_fault():
    assert "a" * 39 in text_table(["a" * 200], [])
    assert text_table([], []) == "0 rows"


def test_control_characters_cannot_move_the_cursor():
    assert cell_text("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"
    assert cell_text(0.1 + 0.2) == "0.3"
    assert cell_text(float("nan")) == "nan"
    assert cell_text(None) == ""


def test_html_shows_the_first_and_last_rows_and_the_number():
    page = html_table(["n"], [(number,) for number in range(300)], max_rows=4)
    assert [number for number in range(300) if f"<td>{number}</td>" in page] == [0, 1, 298, 299]
    assert "<p>300 rows</p>" in page
