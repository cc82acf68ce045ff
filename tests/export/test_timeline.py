"""The order of epochs and adaptations, from what was recorded in any order."""

from dnnprov.export.run_facts import Element, Task
from dnnprov.export.timeline import timelines

TRAINING = Task("t", "Training", "finished", None, None, None, 0, (0, 1, 0), is_training=True)
ADAPTATION = Task("a", "Adaptation", "finished", None, None, None, 0, (0, 2, 0), after=("t",))


def element(table, sequence, epoch, task=None, process=0):
    values = {} if epoch is None else {"epoch": epoch}
    task = task or ("t" if table == "otrainingmodel" else "a")
    return Element(
        f"{table}-{process}-{sequence}", table, table, "generated", task, None, (process, sequence, 0), values
    )


def epoch(sequence, number, **options):
    return element("otrainingmodel", sequence, number, **options)


def adaptation(sequence, number, **options):
    return element("oadaptation", sequence, number, **options)


def steps(*elements, tasks=(TRAINING, ADAPTATION)):
    (line,) = timelines(tasks, sorted(elements, key=lambda one: one.order))
    return [(one.table[:6], one.epoch) for one in line.steps]


def test_an_adaptation_stands_before_the_first_epoch_that_trained_with_the_new_value():
    assert steps(epoch(3, 1), adaptation(4, 2), epoch(5, 2)) == [("otrain", 1), ("oadapt", 2), ("otrain", 2)]


def test_imported_adaptations_that_come_after_all_epochs_are_put_by_their_epoch():
    assert steps(epoch(3, 1), epoch(4, 2), epoch(5, 3), adaptation(6, 2)) == [
        ("otrain", 1),
        ("oadapt", 2),
        ("otrain", 2),
        ("otrain", 3),
    ]


def test_where_epochs_come_again_the_order_of_recording_decides():
    assert steps(epoch(3, 1), epoch(4, 2), adaptation(5, 2), epoch(6, 2), epoch(7, 3)) == [
        ("otrain", 1),
        ("otrain", 2),
        ("oadapt", 2),
        ("otrain", 2),
        ("otrain", 3),
    ]


def test_an_adaptation_without_epoch_stands_where_it_was_recorded():
    assert steps(epoch(3, None), adaptation(4, None), epoch(5, None))[1] == ("oadapt", None)


def test_an_adaptation_whose_task_depends_on_no_training_goes_to_the_training_before_it():
    second = Task("t2", "Training", "running", None, None, None, 0, (0, 10, 0), is_training=True)
    alone = Task("a", "Adaptation", "running", None, None, None, 0, (0, 11, 0))
    lines = timelines(
        (TRAINING, second, alone), [epoch(3, 1), epoch(12, 1, task="t2"), adaptation(13, 2), adaptation(5, 2)]
    )
    assert {line.task: len(line.steps) for line in lines} == {"t": 2, "t2": 2}


def test_adaptations_without_any_training_are_kept():
    (line,) = timelines((), [adaptation(1, 1)])
    assert (line.task, len(line.steps)) == (None, 1)
