"""What counts as an adaptation: a row of oAdaptation that tells of a change.

The paper's callback (Fig. 5) posts a row at every epoch, also where the value stays. Such rows are recorded and
exported as they are; where adaptations are counted for people, they are none, as in Q6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnprov.model.values import same_value

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_change(values: Mapping[str, object]) -> bool:
    """Whether the values of a row tell of a change; one whose old value is not known does."""
    old = values.get("old_value")
    return old is None or not same_value(old, values.get("new_value"))


def adaptations_text(num_changes: int, num_rows: int) -> str:
    """How many adaptations some rows are: `3 adaptations`, `9 rows, no change`."""
    if num_changes == 0:
        return f"{num_rows:,} rows, no change"
    return "1 adaptation" if num_changes == 1 else f"{num_changes:,} adaptations"
