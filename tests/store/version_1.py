"""Journals that the program of schema version 1 took in, and the database that it made of them, as SQL.

It took the later run first, and has a data set whose name became one of ours with version 2.
"""

from pathlib import Path

from dnnprov.journal.folder import StoreFolder
from dnnprov.journal.format import encode
from dnnprov.model.events import (
    ElementsRecorded,
    ParametersSet,
    RunEnded,
    RunStarted,
    SegmentClosed,
    SegmentOpened,
    TaskBegan,
    TaskEnded,
)

DUMP = Path(__file__).with_suffix(".sql")

BEGAN = 1_700_000_000_000_000
RUNS = {"2" * 16: (BEGAN + 3_600_000_000, ["Training", "Testing"]), "1" * 16: (BEGAN, ["Filters", "Training"])}


def write_journals(store):
    """Write both runs; their events are a second apart."""
    for run, (began_at, tags) in RUNS.items():
        events = [
            SegmentOpened(format=1, run=run, process="r0-a", host="elsewhere", boot="another"),
            RunStarted(dataflow="m", name=f"m-{run[0]}", program="train.py"),
            ParametersSet(values={"learning_rate": 0.1, "warmup": 3}),
        ]
        before = None
        for tag in tags:
            number = len(events)
            events += [
                TaskBegan(tag=tag, after=[] if before is None else [before]),
                ElementsRecorded(set=f"o{tag}", relation="generated", rows=[{"loss": 0.5, "note": tag}], task=number),
                ElementsRecorded(set="plan_fact", relation="used", rows=[{"x": number}], task=number),
                TaskEnded(task=number, status="finished"),
            ]
            before = number
        events += [RunEnded(status="finished"), SegmentClosed()]
        lines = []
        for number, event in enumerate(events):
            event.seq, event.at = number, began_at + 1_000_000 * number
            lines.append(encode(event))
        lines[0] = lines[0].replace(b',"at":', b',"seq":0,"at":')  # as it was encoded then
        path = StoreFolder(store).segment(run, "r0-a")
        path.parent.mkdir(parents=True)
        path.write_bytes(b"".join(lines))
