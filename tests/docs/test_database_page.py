"""The reference of the database: each table with each column and its type, a query with an answer, and the picture."""

from __future__ import annotations

import re

import pytest

import dnnprov
from dnnprov.model.training import SETS
from dnnprov.store.schema import COLUMN_TYPES, OVERVIEW_COLUMNS, OWN_COLUMNS, own_names

PAGE = "docs/reference/database.md"
PICTURE = "docs/images/schema.svg"
VIEWS = {"metric", "run_accuracy", "run_overview", "run_rank"}


@pytest.fixture
def tables(store):
    """Table or view -> column -> its type, in a store where nothing was declared beside what is predefined."""
    with dnnprov.start_run("m"):
        pass
    with dnnprov.open() as history:
        found = history.query("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        return {
            row["name"]: {
                column["name"]: column["type"]
                for column in history.query("SELECT name, type FROM pragma_table_info(?)", (row["name"],))
            }
            for row in found
        }


@pytest.fixture
def written(page):
    """Heading of a table on the page -> its rows: column, type, what it is."""
    here = page(PAGE)
    headings = re.findall(r"^### (`\w+`(?: \(view\))?)$", here.text, re.MULTILINE)
    return {re.match(r"`(\w+)`", heading)[1]: here.table(heading) for heading in headings}


def columns_of(rows):
    return {column.strip("`"): kind for column, kind, _ in rows}


def test_every_table_has_its_section_and_no_other(written, tables):
    predefined = {one.tag for one in SETS.values()}
    assert set(written) == {name for name in tables if name not in SETS} | predefined
    assert own_names() & tables.keys() <= set(written)


def test_every_column_has_its_row_with_its_type(written, tables):
    for name in written.keys() - {one.tag for one in SETS.values()} - {"run_overview"}:
        types = {column: kind or "any" for column, kind in tables[name].items()}
        shown = columns_of(written[name])
        assert list(shown) == list(types), name
        assert name in VIEWS or shown == types, name  # SQLite does not know the types of what a view computes
    assert list(columns_of(written["run_overview"])) == list(OVERVIEW_COLUMNS)


def test_every_predefined_set_has_its_attributes_with_their_types(written):
    for one in SETS.values():
        types = {name: COLUMN_TYPES[kind] for name, kind in one.attributes.items()}
        assert columns_of(written[one.tag]) == types, one.tag


def test_the_columns_of_every_data_set_stand_before_the_sets(page):
    shown = columns_of(page(PAGE).table("Data sets")[: len(OWN_COLUMNS)])
    assert shown == {name: kind.split()[0] for name, kind in OWN_COLUMNS.items()}


def test_every_table_has_a_query_that_reads_it_and_has_an_answer(page, written):
    for name in written:
        heading = f"`{name}`" if f"### `{name}`\n" in page(PAGE).text else f"`{name}` (view)"
        section = page(PAGE).section(heading)
        example = re.search(r"```sql\n(.*?)```\n\n```text\n(.*?)```", section, re.DOTALL)
        assert example, f"{name} has no query"
        assert re.search(rf"\b{name}\b", example[1]), f"the query of {name} does not read it"
        assert len(example[2].splitlines()) > 2, f"the query of {name} answers nothing"  # below its head and ruler


def test_every_table_but_housekeeping_is_in_the_picture(page, tables, docs_code):
    picture = docs_code("generation.schema_picture")
    drawn = set(re.findall(r">([a-z_ ]+)</text>", page(PICTURE).text))
    own = own_names() & tables.keys()
    assert own - VIEWS - set(picture.HOUSEKEEPING) <= drawn
    assert set(picture.HOUSEKEEPING) <= own
    assert picture.DATA_SET in drawn


def test_the_picture_has_an_arrow_for_each_column_that_points_to_a_table(page, docs_code):
    picture = docs_code("generation.schema_picture")
    drawn = re.findall(r"<title>(\w[\w ]*):e&#45;&gt;(\w[\w ]*):w</title>", page(PICTURE).text)
    expected = [(table, target) for table, _, target in picture.pointers(picture.drawn_tables())]
    assert sorted(drawn) == sorted(expected)
    assert ("task", "run") in drawn
