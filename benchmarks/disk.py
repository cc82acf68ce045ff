"""Bytes on the disk for a value, after the run is finished and in the database: everything in the store folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dnnprov
from benchmarks.log_call import values
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import folder_bytes, new_store

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measurement import Size

NUM_CALLS = {"quick": 400, "full": 40_000, "large": 400_000}
PER_CALL = 5


def measure(size: Size) -> list[Measurement]:
    """Bytes a value, and what they are bytes of."""
    num_values = PER_CALL * NUM_CALLS[size]
    with new_store() as store:
        record(NUM_CALLS[size])
        journal = sum(folder_bytes(store).values())
        with dnnprov.open(store) as history:
            (row,) = history.query("SELECT COUNT(*) AS n FROM metric")
            expect("values", row["n"], num_values)
            while_open = sum(folder_bytes(store).values())
        sizes = folder_bytes(store)
        blocks = allocated_bytes(store)
    parts = {
        "database": sum(size for name, size in sizes.items() if name.startswith("provenance.db")),
        "archive of the journal": sum(size for name, size in sizes.items() if "archive" in name),
    }
    total = sum(sizes.values())
    parts["everything else"] = total - sum(parts.values())
    shown = {name: f"{num_bytes / num_values:.1f} bytes" for name, num_bytes in parts.items()}
    return [
        Measurement(
            f"disk after finish, everything counted, per value at {num_values:,} values, {PER_CALL} a call",
            total / num_values,
            "bytes",
            reach=45,
            details={
                **shown,
                "in blocks of the file system": f"{blocks / num_values:.1f} bytes",
                "while a reader has the database open (with its WAL)": f"{while_open / num_values:.1f} bytes",
                "journal before it is taken in": f"{journal / num_values:.1f} bytes",
            },
        )
    ]


def record(num_calls: int) -> None:
    """One run of so many calls of five metrics, with all their digits."""
    with dnnprov.start_run("disk") as run:
        for number in range(num_calls):
            run.log(step=number, **values(number))


def allocated_bytes(folder: Path) -> int:
    """Blocks of all files and folders below a folder, and of itself."""
    return 512 * sum(path.stat().st_blocks for path in [folder, *folder.rglob("*")])
