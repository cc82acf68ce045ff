"""Names of tables and columns from names that users chose, safe and the same on both database engines.

A name from outside is data: it is normalised to Unicode NFKC, lowered, and every character but a-z, 0-9 and _
becomes _. Reserved words of either engine get a trailing _, names of ours a prefix, collisions a number; the result
has at most 63 bytes (PostgreSQL's limit). The original name stays in `data_set.tag` and `attribute.name`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

MAX_BYTES = 63

# Words that an unquoted name may not be: from SQLite 3.40 by trying each keyword, from PostgreSQL 15
# by `pg_get_keywords()` with catcode R or T, and the system columns of PostgreSQL.
RESERVED_WORDS = frozenset(
    """
    add all alter analyse analyze and any array as asc asymmetric authorization autoincrement between binary both case
    cast check collate collation column commit concurrently constraint create cross current_catalog current_date
    current_role current_schema current_time current_timestamp current_user default deferrable delete desc distinct do
    drop else end escape except exists false fetch for foreign freeze from full grant group having if ilike in index
    initially inner insert intersect into is isnull join lateral leading left like limit localtime localtimestamp
    natural not nothing notnull null offset on only or order outer overlaps placing primary raise references returning
    right select session_user set similar some symmetric table tablesample then to trailing transaction true union
    unique update user using values variadic verbose when where window with
    cmax cmin ctid tableoid xmax xmin
    """.split()  # noqa: SIM905 - a table of words reads better as text
)


def plain_name(name: str) -> str:
    """The name reduced to a-z, 0-9 and _, not yet made unique.

    Example:
        >>> plain_name("Top-5 Accuracy"), plain_name("order"), plain_name("Ⅷ")
        ('top_5_accuracy', 'order_', 'viii')
    """
    lowered = unicodedata.normalize("NFKC", name).lower()
    reduced = re.sub(r"[^a-z0-9_]", "_", lowered)[:MAX_BYTES] or "_"
    return reduced[: MAX_BYTES - 1] + "_" if reduced in RESERVED_WORDS else reduced


def unique_name(name: str, taken: Container[str]) -> str:
    """The plain name, numbered `_2`, `_3`, ... where it is taken.

    Example:
        >>> unique_name("loss!", {"loss_"})
        'loss__2'
    """
    base = plain_name(name)
    candidate, number = base, 1
    while candidate in taken:
        number += 1
        suffix = f"_{number}"
        candidate = base[: MAX_BYTES - len(suffix)] + suffix
    return candidate


def table_name(tag: str, ours: Container[str], taken: Container[str]) -> str:
    """The table of a data set: one that would collide with a table of ours gets `ds_` before it.

    Args:
        tag: the data set's tag as the user wrote it.
        ours: names of dnnprov's own tables and views.
        taken: names of the tables of other data sets.
    """
    base = plain_name(tag)
    if base in ours or base.startswith(("sqlite_", "pg_")):
        base = f"ds_{base}"
    return unique_name(base, taken)
