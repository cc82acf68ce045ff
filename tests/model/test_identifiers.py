"""Local names that every format can write, and that never meet."""

import re

from hypothesis import given
from hypothesis import strategies as st

from dnnprov.model.identifiers import local_name, original_name

NAMES = st.text(st.characters(exclude_categories=["Cs"])) | st.text("_x0041F")


@given(NAMES)
def test_a_local_name_is_an_xml_name_and_tells_the_original(name):
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", local_name(name))
    assert original_name(local_name(name)) == name


@given(NAMES, NAMES)
def test_two_names_have_two_local_names(one, other):
    assert (local_name(one) == local_name(other)) == (one == other)
