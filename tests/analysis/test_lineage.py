from __future__ import annotations

import os
import shutil

import pytest

import dnnprov
from dnnprov.errors import AmbiguousRunError, DataflowNotFoundError, NotFoundError, StoreError, UsageError
from export.recordings import forget_database, record_paper_run


def names(found, kind=None):
    return [row["name"] for row in found if kind in (None, row["kind"])]


def train(name, uses=None, writes=None, **parameters):
    """A run of one training that reads a file and writes one."""
    with dnnprov.start_run("m", name=name, params=parameters or None) as run:
        with run.task("Training") as training:
            if uses is not None:
                training.uses_file(uses, role="dataset")
            training.log(epoch=1, loss=0.5)
            if writes is not None:
                writes.write_bytes(b"weights of " + name.encode("utf-8", "replace"))
                training.generates_file(writes, role="model")
        with run.task("Testing", after=training) as testing:
            testing.log(accuracy=0.5)
    return run


@pytest.fixture
def images(tmp_path):
    place = tmp_path / "images.tgz"
    place.write_bytes(b"images")
    return place


@pytest.fixture
def fine_tuned(store, tmp_path, images):
    """`base` trains on the images, `fine` from the model of `base`."""
    train("base", images, tmp_path / "base.keras", learning_rate=0.1)
    train("fine", tmp_path / "base.keras", tmp_path / "fine.keras", learning_rate=0.01)
    with dnnprov.open() as history:
        yield history


# What stands on what


def test_a_test_accuracy_stands_on_the_model_the_training_its_hyperparameters_filters_and_adaptations(store):
    record_paper_run(store)
    with dnnprov.open() as history:
        found = history.ancestors("alexnet-1:oTestingModel")
    distance = {row["name"]: row["distance"] for row in found}
    assert distance["alexnet-1:Testing"] == 1
    assert distance[str(store.parent / "model.keras")] == 2
    assert distance["alexnet-1:Training"] == 2
    assert {"alexnet-1:Filters", "alexnet-1:oFilters", "alexnet-1:iTrainingModel"} <= distance.keys()
    assert "alexnet-1:oAdaptation[adaptation_id=2]" in distance
    assert "alexnet-1:oTrainingModel[epoch=6]" not in distance  # no adaptation used it
    assert found[0]["relation"] == "wasGeneratedBy"
    assert found[0]["via"] == found.asked[0]["id"]


def test_from_a_test_accuracy_to_the_images_over_another_run_s_checkpoint(fine_tuned, images):
    way = fine_tuned.path("fine:oTestingModel", images)
    assert names(way) == [
        "fine:oTestingModel", "fine:Testing", "fine:Training", str(images.parent / "base.keras"),
        str(images.parent / "base.keras"), "base:Training", str(images),
    ]  # fmt: skip
    relations = ["wasGeneratedBy", "wasInformedBy", "used", "wasDerivedFrom", "wasGeneratedBy", "used"]
    assert [row["relation"] for row in way][1:] == relations
    assert [row["run"] for row in way] == ["fine"] * 4 + ["base"] * 3
    assert names(fine_tuned.path(images, "fine:oTestingModel")) == names(way)[::-1]
    assert str(images) in names(fine_tuned.ancestors("fine"), "file")
    assert names(fine_tuned.descendants("base"), "run") == ["fine"]
    assert str(images) not in names(fine_tuned.ancestors("fine", across_runs=False))


def test_a_path_between_what_is_not_related_is_empty_and_to_itself_is_itself(fine_tuned, store):
    train("other")
    assert fine_tuned.path("other:oTestingModel", "base") == []
    assert names(fine_tuned.path("base", "base")) == ["base"]


def test_every_run_that_used_a_file_is_found_with_what_it_led_to(fine_tuned, images):
    train("second", images)
    found = fine_tuned.descendants(images)
    assert names(found, "run") == ["base", "second", "fine"]
    assert {row["distance"] for row in found if row["name"] in ("base", "second")} == {1}
    assert {"fine:oTestingModel", "second:oTestingModel"} <= set(names(found))


def test_an_epoch_does_not_stand_on_what_came_after_it(store):
    record_paper_run(store)
    with dnnprov.open() as history:
        fourth = names(history.ancestors("alexnet-1:oTrainingModel[epoch=4]"))
        assert [name for name in fourth if "oTrainingModel" in name] == [
            f"alexnet-1:oTrainingModel[epoch={epoch}]" for epoch in (3, 2, 1)
        ]
        assert [name for name in fourth if "oAdaptation" in name] == ["alexnet-1:oAdaptation[adaptation_id=1]"]
        after = names(history.descendants("alexnet-1:oAdaptation[adaptation_id=2]"))
        assert [name for name in after if "oTrainingModel" in name] == [
            f"alexnet-1:oTrainingModel[epoch={epoch}]" for epoch in (5, 6)
        ]
        assert "alexnet-1:oTestingModel" in after


def test_a_checkpoint_stands_on_the_adaptations_before_it_only(store, tmp_path):
    with dnnprov.start_run("m", params={"learning_rate": 1.0}) as run, run.task("Training") as training:
        for epoch in (1, 2, 3):
            if epoch > 1:
                run.adapt(dnnprov.Change("learning_rate", 1 / epoch, 0.5 / epoch, epoch=epoch, technique="Decay"))
            training.log(epoch=epoch, loss=1 / epoch)
            (tmp_path / f"{epoch}.ckpt").write_bytes(b"%d" % epoch)
            training.generates_file(tmp_path / f"{epoch}.ckpt", role="checkpoint")
    with dnnprov.open() as history:
        adaptations = {
            epoch: [name for name in names(history.ancestors(tmp_path / f"{epoch}.ckpt")) if "oAdaptation" in name]
            for epoch in (1, 2, 3)
        }
    assert [len(found) for found in adaptations.values()] == [0, 1, 2]


def test_a_run_that_uses_its_own_output_ends(store, tmp_path):
    model = tmp_path / "model.bin"
    model.write_bytes(b"weights")
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        training.generates_file(model)
        training.uses_file(model)
    with dnnprov.open() as history:
        assert names(history.ancestors("m-1:Training"), "file") == [str(model), str(model)]
        assert "m-1:Training" in names(history.descendants(model))


def test_a_run_stands_on_the_run_it_is_a_part_of(store):
    with dnnprov.start_run("search", name="search") as parent, dnnprov.start_run("m", name="trial", parent=parent):
        pass
    with dnnprov.open() as history:
        assert names(history.ancestors("trial")) == ["search"]
        assert names(history.descendants("search")) == ["trial"]


def test_a_live_run_is_answered_and_an_answer_is_of_its_moment(store):
    run = dnnprov.start_run("m")
    training = run.task("Training")
    for epoch in range(1, 6):
        training.log(epoch=epoch)
    with dnnprov.open() as history:
        found = history.descendants("m-1:Training")
        training.log(epoch=6)
        assert len(history.descendants("m-1:Training")) == 6
    assert names(found) == [f"m-1:oTrainingModel[epoch={epoch}]" for epoch in range(1, 6)]
    run.finish()


# Files


def test_a_file_is_found_after_it_was_renamed_moved_or_copied_and_by_its_hash(fine_tuned, images, tmp_path):
    moved = tmp_path / "elsewhere" / "flowers.tgz"
    moved.parent.mkdir()
    shutil.move(images, moved)
    found = fine_tuned.descendants(moved)
    assert names(found, "run") == ["base", "fine"]
    assert found.notes == [f"{str(moved)!r} was recorded as {images}"]
    sha256 = found.asked[0]["sha256"]
    for thing in (sha256, sha256[:8], f"sha256:{sha256[:12].upper()}", str(images), "images.tgz"):
        assert fine_tuned.descendants(thing) == found


def test_a_path_may_be_written_from_the_working_folder(fine_tuned, images, monkeypatch):
    monkeypatch.chdir(images.parent)
    assert names(fine_tuned.descendants("./images.tgz"), "run") == ["base", "fine"]
    images.rename(images.parent / "other.tgz")
    assert names(fine_tuned.descendants("other.tgz"), "run") == ["base", "fine"]


def test_a_path_may_lead_over_the_folder_above_also_where_the_file_is_gone(fine_tuned, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    found = fine_tuned.descendants("../images.tgz", kinds=["run"])
    assert (names(found), found.notes) == (["base", "fine"], [])
    (tmp_path / "images.tgz").unlink()
    assert names(fine_tuned.descendants("../images.tgz", kinds=["run"])) == ["base", "fine"]


def test_a_file_recorded_on_windows_is_found_by_the_end_of_its_path(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        (store.parent / "m.pt").write_bytes(b"weights")
        training.generates_file(store.parent / "m.pt", role="model")
    journal = next((store / "journal").glob("*/*.jsonl"))
    path = str(store.parent / "m.pt")
    journal.write_text(journal.read_text().replace(f'"{path}"', '"C:\\\\my runs\\\\m.pt"'))
    with dnnprov.open() as history:
        for name in ("m.pt", "my runs/m.pt", "my runs\\m.pt", "C:\\my runs\\m.pt", "m-1:m.pt"):
            assert names(history.ancestors(name), "task") == ["m-1:Training"]


def test_contents_without_a_hash_are_told_as_such(store, tmp_path):
    place = tmp_path / "best.pt"
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        os.mkfifo(place)  # of which there is no hash
        training.generates_file(place, role="checkpoint")
        place.unlink()
        place.write_bytes(b"weights")
        training.generates_file(place, role="checkpoint")
    place.unlink()
    with dnnprov.open() as history:
        (note,) = history.ancestors(place).notes
    assert note.endswith("before it: 1 without a hash")


def test_an_element_is_told_by_the_values_that_it_has(store):
    with dnnprov.start_run("m", params={"my_own": "x", "another": 2}) as run, run.task("Training"):
        pass
    with dnnprov.open() as history:
        (row,) = [row for row in history.ancestors("m-1:Training") if row["tag"] == "iTrainingModel"]
    assert row["label"] == "my_own=x, another=2"


def test_rows_that_changed_nothing_are_not_counted_as_adaptations(store):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        for epoch in range(1, 10):
            new = 0.05 if epoch == 5 else 0.1
            run.adapt(dnnprov.Change("learning_rate", 0.1, new, epoch=epoch), training)
            training.log(epoch=epoch)
    with dnnprov.open() as history:
        (row,) = [row for row in history.ancestors("m-1:oTrainingModel").folded() if ":oAd" in row["name"]]
        assert row["label"] == "1 adaptation"
        (row,) = [row for row in history.ancestors("m-1:oTrainingModel[epoch=4]").folded() if ":oAd" in row["name"]]
        assert row["label"] == "4 rows, no change"


def test_a_file_that_was_overwritten_is_two_files(store, tmp_path):
    model, kept = tmp_path / "model.bin", tmp_path / "kept.bin"
    train("first", writes=model)
    shutil.copy(model, kept)
    train("second", writes=model)
    train("third", uses=model)
    with dnnprov.open() as history:
        found = history.ancestors(model)
        assert names(found, "run") == ["second"]
        assert names(history.descendants(model), "run") == ["third"]
        assert names(history.ancestors(kept), "run") == ["first"]
        assert names(history.descendants(kept)) == ["first:Testing", "first:oTestingModel"]  # the test is of the model
        model.unlink()
        (note,) = history.ancestors(model).notes
        assert "2 files lay at" in note
        assert "the last is meant" in note
        model.write_bytes(b"neither")
        assert "never recorded" in history.ancestors(model).notes[0]


def test_a_folder_of_images_is_a_file_too(store, tmp_path):
    folder = tmp_path / "flowers"
    (folder / "rose").mkdir(parents=True)
    (folder / "rose" / "1.jpg").write_bytes(b"rose")
    train("on-folder", uses=folder)
    folder.rename(tmp_path / "moved")
    with dnnprov.open() as history:
        assert names(history.descendants(tmp_path / "moved"), "run") == ["on-folder"]
        assert str(folder) in names(history.ancestors("on-folder:oTestingModel"))


def test_names_that_fit_several_files_are_refused_with_what_they_fit(store, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        train(name, writes=tmp_path / name / "model.keras")
    with dnnprov.open() as history:
        with pytest.raises(UsageError, match=r"'model.keras' fits 2 files \(.*a/model.keras, .*b/model.keras\); give"):
            history.ancestors("model.keras")
        assert names(history.ancestors("b/model.keras"), "run") == ["b"]
        assert names(history.ancestors("a:model.keras"), "run") == ["a"]


def test_a_file_that_no_run_recorded_is_told(fine_tuned, tmp_path):
    (tmp_path / "new.bin").write_bytes(b"of another size than any")
    with pytest.raises(NotFoundError, match="is there, but no run recorded it"):
        fine_tuned.ancestors(tmp_path / "new.bin")
    with pytest.raises(NotFoundError, match="no run recorded the file"):
        fine_tuned.ancestors(tmp_path / "gone.bin")


# What is meant


def test_things_are_named_in_several_ways(fine_tuned):
    by_name = fine_tuned.ancestors("fine:oTestingModel")
    (asked,) = by_name.asked
    uid, _, local = asked["id"].partition(":")
    for thing in (
        asked["id"], f"fine:{local}", f"https://w3id.org/dnnprov/run/{uid}#{local}", f"{uid[:6]}:otestingmodel",
        "latest:oTestingModel[1]", "fine:oTestingModel[accuracy=0.5]", "fine:oTestingModel[accuracy=0.50000001]",
    ):  # fmt: skip
        assert fine_tuned.ancestors(thing) == by_name, thing
    for row in by_name:
        assert fine_tuned.ancestors(row["id"]).asked[0]["id"] == row["id"]
        assert row["id"] in [one["id"] for one in fine_tuned.ancestors(row["name"]).asked]


def test_what_fits_several_elements_or_tasks_means_all_of_them(store):
    with dnnprov.start_run("m") as run:
        for _ in range(2):
            with run.task("Split") as split:
                split.uses("iSplit", seed=1)
    with dnnprov.open() as history:
        found = history.ancestors("m-1:Split")
        assert found.notes == ["2 tasks are called 'm-1:Split'; all are meant"]
        assert [row["name"] for row in found.asked] == ["m-1:Split[1]", "m-1:Split[2]"]
        assert [row["name"] for row in history.ancestors("m-1:Split[2]").asked] == ["m-1:Split[2]"]


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        ("basse", r"no run, file or element 'basse'; did you mean 'base'\?"),
        ("base:Testin", r"run 'base' has no task, data set or file 'Testin'; did you mean 'Testing'\?"),
        ("base:Training[2]", r"no base:Training\[2\]; there are 1, counted from 1"),
        ("base:oTrainingModel[epoch=9]", r"none of the 1 elements base:oTrainingModel has epoch '9'"),
        ("base:oTrainingModel[epok=9]", r"no attribute 'epok'; did you mean 'epoch'\?"),
        ("", "no run, file or element ''"),
    ],
)
def test_what_there_is_none_of_is_told_with_the_nearest(fine_tuned, thing, message):
    with pytest.raises(NotFoundError, match=message):
        fine_tuned.ancestors(thing)


def test_arguments_that_cannot_be_meant_are_refused(fine_tuned):
    for call, message in (
        (lambda: fine_tuned.ancestors("base", depth=0), "depth=0 is no number of steps"),
        (lambda: fine_tuned.ancestors("base", kinds=["files"]), "'files' is no kind of thing"),
        (lambda: fine_tuned.ancestors(5), "expected text"),
        (lambda: fine_tuned.ancestors("base:Training[last]"), r"\[last\] chooses nothing"),
    ):
        with pytest.raises(UsageError, match=message):
            call()
    with pytest.raises(DataflowNotFoundError):
        fine_tuned.ancestors("base", dataflow="n")


def test_the_beginning_of_several_uids_is_ambiguous(store):
    uids = set()
    while len({uid[:1] for uid in uids}) == len(uids):
        uids.add(dnnprov.start_run("m").uid)
    with dnnprov.open() as history, pytest.raises((AmbiguousRunError, NotFoundError)):
        history.ancestors(next(iter(uids))[:1])


def test_kinds_and_depth_narrow_the_answer(fine_tuned):
    assert {row["kind"] for row in fine_tuned.ancestors("fine", kinds=["file"])} == {"file"}
    assert {row["kind"] for row in fine_tuned.ancestors("fine", kinds="run")} == {"run"}
    assert {row["distance"] for row in fine_tuned.ancestors("fine", depth=2)} == {1, 2}


def test_hostile_names_are_data(store, tmp_path):
    hostile = "a:b[c]:'\"; DROP TABLE run --\n%_"
    place = tmp_path / "f:1[x]%_\n.bin"
    with dnnprov.start_run(hostile, name=hostile) as run, run.task(hostile) as task:
        place.write_bytes(b"x")
        task.uses_file(place)
        task.generates(hostile, **{hostile: hostile})
    with dnnprov.open() as history:
        found = history.descendants(place)
        assert {(row["kind"], row["tag"]) for row in found} == {(kind, hostile) for kind in ("run", "task", "element")}
        for row in found:
            assert row["id"] in [one["id"] for one in history.ancestors(row["name"]).asked]
        assert "is a task and a data set" in history.ancestors(f"{hostile}:{hostile}").notes[0]
        assert names(history.ancestors(f"{hostile}:{hostile}[{hostile}={hostile}]"), "file") == [str(place)]
        assert len(history.ancestors(str(place)).asked) == 1
        assert "\n" not in repr(found).splitlines()[2]


# The answer


def test_ids_are_the_same_after_the_database_was_made_anew(fine_tuned, store):
    before = [row["id"] for row in fine_tuned.ancestors("fine:oTestingModel")]
    fine_tuned.close()
    forget_database(store)
    with dnnprov.open() as history:
        assert [row["id"] for row in history.ancestors("fine:oTestingModel")] == before


def test_an_answer_can_be_looked_at_after_the_store_was_closed(fine_tuned):
    found = fine_tuned.descendants("base")
    fine_tuned.close()
    assert len(found.rows) == len(found)
    assert "base:Training" in repr(found)


def test_an_answer_is_not_mixed_up_with_a_database_made_anew(store):
    train("one")
    with dnnprov.open() as history:
        found = history.descendants("one:Training")
        assert found.direction == "descendants"
        history.close()
    forget_database(store)
    for path in (store / "journal").glob("*"):
        shutil.rmtree(path)
    shutil.rmtree(store / "archive", ignore_errors=True)
    train("two")
    with dnnprov.open() as history:
        history.catch_up()
    with pytest.raises(StoreError, match="made anew"):
        assert found.rows


def test_an_answer_is_a_result(fine_tuned):
    pytest.importorskip("pandas")
    found = fine_tuned.ancestors("fine:oTestingModel")
    frame = found.to_pandas()
    assert list(frame["distance"]) == sorted(frame["distance"])
    assert "<table>" in found._repr_html_()
    assert found.to_json_rows()[0].keys() == set(found.columns)


def test_long_series_are_one_row_for_people_and_all_rows_for_programs(store):
    record_paper_run(store, epochs=30, adapt_at=(11, 21))
    with dnnprov.open() as history:
        found = history.descendants("alexnet-1:Training")
        assert len(found) > 30
        (folded,) = [row for row in found.folded() if row["name"] == "alexnet-1:oTrainingModel"]
        assert folded["label"] == "30 rows, epochs 1 to 30"


def test_elements_are_counted_and_not_read_where_only_their_number_matters(store, monkeypatch):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        for epoch in range(2000):
            training.log(epoch=epoch)
    with dnnprov.open() as history:
        history.catch_up()
        num_read = 0
        read = history.store.read

        def counting(sql, parameters=()):
            nonlocal num_read
            columns, rows = read(sql, parameters)
            num_read += len(rows)
            return columns, rows

        monkeypatch.setattr(history.store, "read", counting)
        assert len(history.descendants("m-1:Training")) == 2000
        assert num_read < 500


def test_adaptations_find_their_places_without_the_rows_of_the_epochs(store, monkeypatch):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        for epoch in range(1, 2001):
            if epoch % 500 == 0:
                run.adapt(dnnprov.Change("learning_rate", 1 / epoch, 0.5 / epoch, epoch=epoch), training)
            training.log(epoch=epoch)
        training.generates_file(__file__, role="model")
    with dnnprov.open() as history:
        history.catch_up()
        sizes = []
        read = history.store.read

        def counting(sql, parameters=()):
            columns, rows = read(sql, parameters)
            sizes.append(len(rows))
            return columns, rows

        monkeypatch.setattr(history.store, "read", counting)
        found = history.ancestors("m-1:test_lineage.py")
        assert (len(found), sum(sizes) < 500) == (2 + 1 + 1999 + 4, True)
    assert sum(row["kind"] == "element" and row["tag"] == "oTrainingModel" for row in found) == 1999


def test_epochs_of_several_processes_keep_their_order(store):
    """A resumed training: its epochs come again, and each process counts for itself."""
    with dnnprov.start_run("m", name="first") as run, run.task("Training") as training:
        for epoch in (3, 1, 2):
            training.log(epoch=epoch)
            run.adapt(dnnprov.Change("learning_rate", epoch, epoch + 1, epoch=epoch), training)
    with dnnprov.open() as history:
        found = history.ancestors("first:oTrainingModel[epoch=1]")
    assert "first:oTrainingModel[epoch=3]" in names(found)
    assert "first:oTrainingModel[epoch=2]" not in names(found)


def test_asking_leaves_the_collection_of_garbage_as_it_was(fine_tuned):
    import gc

    assert gc.isenabled()
    fine_tuned.ancestors("fine")
    assert (gc.isenabled(), gc.get_freeze_count()) == (True, 0)
