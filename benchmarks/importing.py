"""From a source of another system into the journal: values a second, and how much memory it takes.

Each import is a process of its own with a new store. What it wrote is then taken into the database, which checks that
all values are there, and whose time stands in the details. Sources are made here; every value has all its digits.
"""

from __future__ import annotations

import sqlite3
import struct
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.child import run_child
from benchmarks.ingest import memory
from benchmarks.measurement import Measurement, expect
from benchmarks.stores import new_store
from benchmarks.timing import median

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.measurement import Size

NUM_VALUES = {"quick": 4_000, "full": 400_000, "large": 1_000_000}
NUM_ROUNDS = {"quick": 1, "full": 3, "large": 1}
TIMES_LARGER = 10
LARGER = ("dfanalyzer", "tensorboard", "mlflow, database")
NUM_RUNS = 10
PER_ROW = 4


def write_csv(folder: Path, num_values: int) -> Path:
    """A log of CSVLogger with four metrics a line."""
    path = folder / "log.csv"
    with path.open("w", encoding="utf-8") as stream:
        stream.write("epoch,accuracy,loss,val_accuracy,val_loss\n")
        for number in range(num_values // PER_ROW):
            stream.write(f"{number},{','.join(map(repr, metrics(number)))}\n")
    return path


def write_dump(folder: Path, num_values: int) -> Path:
    """A dump of DfAnalyzer, one training with four metrics an epoch."""
    path = folder / "dump.sql"
    num_rows = num_values // PER_ROW
    with path.open("w", encoding="utf-8") as stream:
        stream.write(_PLAN)
        stream.write(
            f"""COPY {num_rows} RECORDS INTO "m"."ds_otrainingmodel" FROM stdin USING DELIMITERS '|','\\n','"';\n"""
        )
        for number in range(num_rows):
            told = "|".join(map(repr, metrics(number)))
            stream.write(f'{number}|1|"{1.6e9 + number * 1.5!r}"|{told}|{number}\n')
        stream.write("COMMIT;\n")
    return path


def write_events(folder: Path, num_values: int) -> Path:
    """A folder of TensorBoard with one event file and one series, as most loops write it."""
    import google_crc32c

    def masked(content: bytes) -> bytes:
        checksum = google_crc32c.value(content)
        return struct.pack("<I", ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    place = folder / "logs" / "one"
    place.mkdir(parents=True)
    with (place / "events.out.tfevents.1600000000.host").open("wb") as stream:
        for number in range(num_values):
            value = b"\x0a\x0abatch/loss\x15" + struct.pack("<f", 1 / (number + 3))
            summary = b"\x0a" + _varint(len(value)) + value
            event = b"\x09" + struct.pack("<d", 1.6e9 + number * 0.01) + b"\x10" + _varint(number)
            event += b"\x2a" + _varint(len(summary)) + summary
            length = struct.pack("<Q", len(event))
            stream.write(length + masked(length) + event + masked(event))
    return place.parent


def write_database(folder: Path, num_values: int) -> Path:
    """A tracking store of MLflow in SQLite, with its index: ten runs with five metrics of batches each."""
    path = folder / "mlflow.db"
    connection = sqlite3.connect(path)
    connection.executescript(_TRACKING)
    runs = [f"{number:032x}" for number in range(NUM_RUNS)]
    connection.executemany("INSERT INTO runs VALUES (?, 1, 'r', 'FINISHED', 1600000000000, 1700000000000)", zip(runs))
    each = num_values // NUM_RUNS
    for run in runs:
        connection.executemany(
            "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)",
            ((f"batch/metric_{n % 5}", 1 / (n + 3), 1_600_000_000_000 + n * 10, run, n // 5) for n in range(each)),
        )
    connection.commit()
    connection.close()
    return path


def write_folders(folder: Path, num_values: int) -> Path:
    """The same in folders."""
    root = folder / "mlruns"
    for number in range(NUM_RUNS):
        place = root / "1" / f"{number:032x}"
        (place / "metrics" / "batch").mkdir(parents=True)
        (place / "meta.yaml").write_text(
            f"run_id: '{number:032x}'\nstatus: 3\nstart_time: 1600000000000\nend_time: 1700000000000\n",
            encoding="utf-8",
        )
        for metric in range(5):
            with (place / "metrics" / "batch" / f"metric_{metric}").open("w", encoding="utf-8") as stream:
                for step in range(num_values // NUM_RUNS // 5):
                    told = step * 5 + metric
                    stream.write(f"{1_600_000_000_000 + told * 10} {1 / (told + 3)!r} {step}\n")
    (root / "1" / "meta.yaml").write_text("experiment_id: '1'\nname: m\n", encoding="utf-8")
    return root


def metrics(number: int) -> tuple[float, ...]:
    """Four values with all their digits."""
    return tuple(1 / (number + share) for share in (3, 5, 7, 9))


def _varint(number: int) -> bytes:
    content = b""
    while number > 127:
        content += bytes([number & 127 | 128])
        number >>= 7
    return content + bytes([number])


SOURCES: dict[str, tuple[Callable[[Path, int], Path], str, str]] = {
    "dfanalyzer": (write_dump, "dfanalyzer", "SELECT 4 * COUNT(*) FROM otrainingmodel"),
    "tensorboard": (write_events, "tensorboard", "SELECT COUNT(*) FROM metric_value"),
    "mlflow, database": (write_database, "mlflow", "SELECT COUNT(*) FROM metric_value"),
    "mlflow, folders": (write_folders, "mlflow", "SELECT COUNT(*) FROM metric_value"),
    "csvlogger": (write_csv, "csvlogger", "SELECT 4 * COUNT(*) FROM otrainingmodel"),
}
"""Name -> what makes the source, the command, and how many values came in."""


def measure(size: Size) -> list[Measurement]:
    """Values a second of each source, and the memory at ten times the size."""
    num_values = NUM_VALUES[size]
    found = {name: [measure_source(name, num_values) for _ in range(NUM_ROUNDS[size])] for name in SOURCES}
    rates = {name: median([num_values / one["seconds"] for one in rounds]) for name, rounds in found.items()}
    slowest = min(rates, key=lambda name: rates[name])
    larger = {name: measure_source(name, TIMES_LARGER * num_values) for name in LARGER}
    grown = {name: larger[name]["megabytes"] - found[name][0]["megabytes"] for name in larger}
    most = max(grown, key=lambda name: grown[name])
    return [
        Measurement(
            f"import of {num_values:,} values, the slowest source ({slowest})",
            rates[slowest],
            "values/s",
            reach=100_000,
            is_floor=True,
            details={
                **{name: f"{rate:,.0f} values/s" for name, rate in rates.items()},
                **{
                    f"{name}, {TIMES_LARGER * num_values:,} values": (
                        f"{TIMES_LARGER * num_values / one['seconds']:,.0f} values/s"
                    )
                    for name, one in larger.items()
                },
                **{
                    f"{name}, a second of the processor": (
                        f"{median([num_values / one['processor'] for one in rounds]):,.0f} values"
                    )
                    for name, rounds in found.items()
                },
                **{
                    f"{name}, taken into the database afterwards": (
                        f"{median([num_values / one['ingest'] for one in rounds]):,.0f} values/s"
                    )
                    for name, rounds in found.items()
                },
            },
        ),
        Measurement(
            f"memory of an import, {TIMES_LARGER * num_values:,} values beyond {num_values:,} ({most})",
            grown[most],
            "MB",
            reach=16,
            details={
                name: f"{found[name][0]['megabytes']:.0f} MB, then {one['megabytes']:.0f} MB beyond the process before"
                for name, one in larger.items()
            },
        ),
    ]


def measure_source(name: str, num_values: int) -> dict[str, float]:
    """What one import took, and the ingest after it."""
    make, command, count = SOURCES[name]
    with new_store() as store, tempfile.TemporaryDirectory(prefix="dnnprov-bench-") as folder:
        source = make(Path(folder), num_values)
        done: dict[str, float] = run_child(take_over, command=command, source=str(source))
        return {**done, **run_child(take_in, place=str(store), count=count, num_values=num_values)}


def take_over(command: str, source: str) -> dict[str, Any]:
    """In a child: seconds, processor seconds, and megabytes of the peak beyond what there was before."""
    from dnnprov.cli.importing import import_group
    from dnnprov.cli.main import exit_code

    expect("commands", command in import_group.commands, True)
    before = memory("VmRSS")
    began, worked = time.perf_counter(), time.process_time()
    expect("exit code", exit_code(["import", command, source]), 0)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    return {"seconds": seconds, "processor": processor, "megabytes": memory("VmHWM") - before}


def take_in(place: str, count: str, num_values: int) -> dict[str, Any]:
    """In a child: seconds of the ingest that finds all values."""
    from dnnprov.store.sqlite import open_store

    store = open_store(place)
    began = time.perf_counter()
    store.catch_up()
    seconds = time.perf_counter() - began
    _, ((found,),) = store.read(count)
    expect("values", found, num_values)
    store.close()
    return {"ingest": seconds}


_TRACKING = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name VARCHAR(256));
CREATE TABLE runs (run_uuid VARCHAR(32) PRIMARY KEY, experiment_id INTEGER, name VARCHAR(250), status VARCHAR(20),
    start_time BIGINT, end_time BIGINT);
CREATE TABLE metrics (key VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
    run_uuid VARCHAR(32) NOT NULL, step BIGINT NOT NULL, is_nan BOOLEAN NOT NULL,
    PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan));
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE TABLE params (key VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32));
CREATE TABLE tags (key VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32));
INSERT INTO experiments VALUES (1, 'm');
"""

_PLAN = """START TRANSACTION;
CREATE TABLE "public"."dataflow" (
"id" INTEGER,
"tag" VARCHAR(50)
);
COPY 1 RECORDS INTO "public"."dataflow" FROM stdin USING DELIMITERS '|','\\n','"';
1|"m"
CREATE TABLE "public"."dataflow_version" (
"version" INTEGER,
"df_id" INTEGER
);
COPY 1 RECORDS INTO "public"."dataflow_version" FROM stdin USING DELIMITERS '|','\\n','"';
1|1
CREATE TABLE "public"."data_transformation" (
"id" INTEGER,
"df_id" INTEGER,
"tag" VARCHAR(50)
);
COPY 1 RECORDS INTO "public"."data_transformation" FROM stdin USING DELIMITERS '|','\\n','"';
1|1|"trainingmodel"
CREATE TABLE "public"."data_set" (
"id" INTEGER,
"df_id" INTEGER,
"tag" VARCHAR(50)
);
COPY 1 RECORDS INTO "public"."data_set" FROM stdin USING DELIMITERS '|','\\n','"';
1|1|"otrainingmodel"
CREATE TABLE "public"."task" (
"id" INTEGER,
"identifier" INTEGER,
"df_version" INTEGER,
"dt_id" INTEGER,
"status" VARCHAR(10)
);
COPY 1 RECORDS INTO "public"."task" FROM stdin USING DELIMITERS '|','\\n','"';
1|1|1|1|"FINISHED"
CREATE TABLE "m"."ds_otrainingmodel" (
"id" INTEGER,
"trainingmodel_task_id" INTEGER,
"timestamp" VARCHAR(500),
"loss" DOUBLE,
"accuracy" DOUBLE,
"val_loss" DOUBLE,
"val_accuracy" DOUBLE,
"epoch" DOUBLE
);
"""
