"""Journals of any shape, for Hypothesis: what any number of runs and their processes record, and how they end."""

from __future__ import annotations

from hypothesis import strategies as st

from dnnprov.journal.format import encode
from dnnprov.model.events import (
    AttributeDeclared,
    DataflowDeclared,
    DataSetDeclared,
    ElementAmended,
    ElementsRecorded,
    EnvironmentRecorded,
    FileHashed,
    FileRecorded,
    HyperparameterAdapted,
    MetricsRecorded,
    ParametersSet,
    PostKept,
    ProblemRecorded,
    ProgramDeclared,
    RunEnded,
    RunResumed,
    RunStarted,
    SegmentClosed,
    SegmentOpened,
    TaskBegan,
    TaskDescribed,
    TaskEnded,
    TransformationDeclared,
)

BEGAN = 1_700_000_000_000_000
DAY = 86_400_000_000

NAMES = st.sampled_from(["lr", "LR", "Lr", "x", "loss", "LOSS", "Loss"])
VALUES = st.sampled_from([3, 0.5, "auto", True, None, 10**20, 2**60, "NaN"])
SET_NAMES = ["oTrainingModel", "oA", "OA", "run"]
SETS = st.sampled_from(SET_NAMES)
ROWS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)
ACTIONS = st.one_of(
    st.tuples(st.just("task"), st.sampled_from(["Training", "A", "B"])),
    st.tuples(st.just("element"), SETS, ROWS),
    st.tuples(st.just("amend"), ROWS, st.booleans()),
    st.tuples(st.just("parameters"), ROWS),
    st.tuples(st.just("hyperparameters"), st.sampled_from(["used", "generated"]), ROWS),
    st.tuples(st.just("metric"), ROWS, st.integers(0, 2)),
    st.tuples(st.just("file"), st.sampled_from(["m.keras", "x.png"])),
    st.tuples(st.just("adapt"), VALUES),
    st.tuples(st.just("post"), st.sampled_from(["m", "z"]), NAMES, st.sampled_from(["", "P", "Q"])),
    st.tuples(st.just("problem"), st.sampled_from(["lost", "file_missing"])),
    st.tuples(st.just("more of task")),
    st.tuples(st.just("end of task")),
)
ENDS = st.sampled_from(["closed", "ended", "crashed", "torn", "damaged", "unended"])
PROCESSES = st.tuples(
    st.sampled_from(["fork", "rank", "rank again", "resumed", "lost"]), st.lists(ACTIONS, max_size=5), ENDS
)
RUNS = st.tuples(
    st.integers(0, 2), st.sampled_from(["m", "z"]), st.lists(ACTIONS, max_size=8), ENDS, st.lists(PROCESSES, max_size=2)
)


def _split(row):
    """The values of a row as a journal has them: what is not finite apart."""
    special = {name: value for name, value in row.items() if value == "NaN"}
    return {name: None if name in special else value for name, value in row.items()}, special


def _element(action, task, number):
    row, special = _split(action[2])
    return ElementsRecorded(
        set=action[1],
        relation="generated",
        rows=[{"epoch": number, **row}],
        task=task,
        non_finite=[special] if special else None,
    )


def _amendment(action, events, number):
    """What the last row of data says now, with the names that it had first, or without any of them."""
    rows = [event for event in events if isinstance(event, ElementsRecorded) and event.relation == "generated"]
    rows = [event for event in rows if event.set in SET_NAMES]
    row, special = _split(action[1])
    if not rows:  # of a row that is lost
        return ElementAmended(
            element=10_000 + number, set="oA", relation="generated", values=row, non_finite=special or None
        )
    last = rows[-1]
    if action[2]:
        row = {**last.rows[0], **row}
        special = {
            name: value for name, value in {**(last.non_finite or [{}])[0], **special}.items() if row[name] is None
        }
    return ElementAmended(
        element=events.index(last) + 1,
        set=last.set,
        relation=last.relation,
        values={**row},
        non_finite=special or None,
        task=last.task,
    )


def _hyperparameters(action, task):
    row, special = _split(action[2])
    return ElementsRecorded(
        set="iTrainingModel", relation=action[1], rows=[row], task=task, non_finite=[special] if special else None
    )


def _plan(action):
    sets = [DataSetDeclared("iA", "used", [AttributeDeclared(action[2], "numeric")])]
    declared = TransformationDeclared("A", sets, [ProgramDeclared("p", action[3])])
    return DataflowDeclared(dataflow=action[1], transformations=[declared])


def _parameters(values):
    row, special = _split(values)
    return ParametersSet(values=row, non_finite=special or None)


def _metric(values, step):
    row, special = _split(values)
    return MetricsRecorded(values=row, step=step, non_finite=special or None)


_EVENTS = {
    "task": lambda one, task, _: TaskBegan(tag=one[1], after=[] if task is None else [task]),
    "element": _element,
    "parameters": lambda one, *_: _parameters(one[1]),
    "hyperparameters": lambda one, task, _: _hyperparameters(one, task),
    "metric": lambda one, *_: _metric(one[1], one[2]),
    "file": lambda one, task, _: FileRecorded(path=one[1], task=task, size=3),
    "adapt": lambda one, task, _: HyperparameterAdapted(
        attribute="lr", old_value=0.5, new_value=one[1], epoch=1, technique="T", task=task
    ),
    "post": lambda one, *_: _plan(one),
    "problem": lambda one, _, number: ProblemRecorded(kind=one[1], detail=f"detail {number}"),
    "more of task": lambda _, task, number: (
        TaskDescribed(task=task, details={"output": str(number), f"text {number}": "x"})
        if isinstance(task, int)
        else PostKept(body="{}")
    ),
    "end of task": lambda _, task, number: (
        TaskEnded(task=task, status="finished") if isinstance(task, int) else _event(("problem", "k"), task, number)
    ),
}


def _event(action, task, number):
    return _EVENTS[action[0]](action, task, number)


def _events(actions, first, end, task=None):
    events = [*first, EnvironmentRecorded(user="me", host="h", software="1", frameworks={"keras": "3"})]
    for action in [("task", "Training"), *actions] if task is None else actions:
        number = len(events) + 1
        events.append(_amendment(action, events, number) if action[0] == "amend" else _event(action, task, number))
        if action[0] == "task":
            task = number
        elif action[0] == "file":
            events.append(FileHashed(file=number, sha256="ab" * 32))
    if end in {"closed", "ended"}:
        events.append(RunEnded(status="finished"))
    if end in {"closed", "unended"}:
        events.append(SegmentClosed())
    return events


def _lines(run, process, events, began_at, end, **header):
    opened = SegmentOpened(format=1, run=run, process=process, host="elsewhere", boot="another", **header)
    lines = []
    for number, event in enumerate([opened, *events]):
        event.seq, event.at = number, began_at + 1_000_000 * number
        lines.append(encode(event))
    if end == "torn":
        lines.append(b'{"event": "Process')
    if end == "damaged":
        lines.insert(-1, b'{"event": "nonsense"}\n')
    return lines


def journal_of(runs):
    """The segments of runs: (run, process) -> lines."""
    journal = {}
    for number, (day, dataflow, actions, end, others) in enumerate(runs):
        run, began_at = f"{number:016x}", BEGAN + day * DAY
        start = RunStarted(dataflow=dataflow, name=f"n{number}", program="train.py", tags={"k": str(number)})
        is_lost = any(kind == "lost" for kind, *_ in others)
        if not is_lost:
            journal[run, "r0-a"] = _lines(run, "r0-a", _events(actions, [start], end), began_at, end)
        for index, (kind, other_actions, other_end) in enumerate(others, 1):
            if kind == "fork" and any(other[0] in {"resumed", "lost"} for other in others):
                continue  # the processes of a resumed run go with it
            if kind == "rank" and any(other[0] == "rank" for other in others[: index - 1]):
                continue  # a rank has one process at a time
            rank = int(kind.startswith("rank"))
            process = f"r{rank}-{index}"
            is_resumed = kind in {"resumed", "lost", "rank again"}
            header = {"rank": rank, "attempt": index * int(is_resumed)}
            header["forked_from"] = "r0-a" if kind == "fork" else None
            first = [RunResumed(dataflow=dataflow)] if is_resumed else []
            # what several processes of a run say of one row is as they come
            kept = [one for one in other_actions if one[0] not in {"parameters", "hyperparameters"}]
            events = _events(kept, first, other_end, None if is_lost or rank else "r0-a:3")
            if kind == "fork":
                events = [event for event in events if not isinstance(event, RunEnded)]
            journal[run, process] = _lines(run, process, events, began_at + index * DAY // 4, other_end, **header)
    return journal
