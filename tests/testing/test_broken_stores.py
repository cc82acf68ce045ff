"""The contract of stores finds each fault that a store may have: one that would pass with a fault is no contract."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from dnnprov.journal.folder import StoreFolder
from dnnprov.store.sqlite import SqliteStore
from dnnprov.testing import StoreContract


class ChangedReading(SqliteStore):
    """A store whose answers are not what was recorded."""

    def read(self, sql, parameters=()):
        columns, rows = super().read(sql, parameters)
        return columns, [
            tuple(self.changed(name, value) for name, value in zip(columns, row, strict=True)) for row in rows
        ]

    def changed(self, column, value):
        return value


class DropsNan(ChangedReading):
    def changed(self, column, value):
        return None if column == "non_finite" else value


class TruncatesTexts(ChangedReading):
    def changed(self, column, value):
        return value[:65535] if isinstance(value, str) else value


class WidensToText(ChangedReading):
    def changed(self, column, value):
        return str(value) if isinstance(value, float) else value


class HoldsIntegersAsFloats(ChangedReading):
    def changed(self, column, value):
        return float(value) if type(value) is int and abs(value) > 2**53 else value


class HoldsSingleFloats(ChangedReading):
    def changed(self, column, value):
        import numpy as np

        return float(np.float32(value)) if type(value) is float and abs(value) < 1e38 else value


class HoldsBooleansAsTexts(ChangedReading):
    def changed(self, column, value):
        return str(bool(value)) if column in {"yes", "no"} and value is not None else value


class TakesEmptyForNull(ChangedReading):
    def changed(self, column, value):
        return None if value == "" and column not in {"column_name", "path"} else value


class EndsTextsAtNul(ChangedReading):
    def changed(self, column, value):
        return value.partition("\0")[0] if isinstance(value, str) else value


class TellsLocalTime(ChangedReading):
    def changed(self, column, value):
        return value.removesuffix("Z") if isinstance(value, str) and column.endswith("_at") else value


class LowersNames(ChangedReading):
    def changed(self, column, value):
        return value.lower() if column in {"name", "tag", "run", "metric"} and isinstance(value, str) else value


class Rewriting(SqliteStore):
    """A store that does something else to its database besides."""

    statements = ()

    def ingest(self):
        count = super().ingest()
        if count and self._file.writer:
            for sql in self.statements:
                self._file.writer.execute(sql)
        return count


class StoresMetricsTwice(Rewriting):
    statements = (
        """INSERT OR IGNORE INTO metric_value SELECT series_id, step, attempt, repetition + 100, epoch, value,
           non_finite, recorded_ms, superseded FROM metric_value WHERE repetition < 100""",
    )


class StoresElementsTwice(SqliteStore):
    def ingest(self):
        before = self.read("SELECT MAX(element_id) FROM otrainingmodel")[1][0][0] or 0
        count = super().ingest()
        columns, _ = self.read("SELECT * FROM otrainingmodel WHERE 0 = 1")
        listed = ", ".join(f'"{name}"' for name in columns if name != "element_id")
        rows = f"SELECT {listed} FROM otrainingmodel WHERE element_id > {before} LIMIT 1"
        if count and self._file.writer:
            self._file.writer.execute(f"INSERT INTO otrainingmodel ({listed}) {rows}")
        return count


class LosesALastRow(Rewriting):
    statements = ("DELETE FROM metric_value WHERE step = (SELECT MAX(step) FROM metric_value)",)


class ForgetsProblems(Rewriting):
    statements = ("DELETE FROM problem",)


class TellsProblemsWithoutValue(Rewriting):
    statements = ("UPDATE problem SET detail = 'a value does not fit'",)


class ForgetsWhatIsBeyondColumns(Rewriting):
    statements = ("DELETE FROM element_value",)


class KeepsNoTextBeside(Rewriting):
    statements = ("DELETE FROM attribute WHERE overflow_of IS NOT NULL",)


class KnowsNoVersions(Rewriting):
    statements = ("DELETE FROM dataflow_version WHERE version > 1",)


class NeverCrashes(Rewriting):
    statements = ()

    def ingest(self):
        count = super().ingest()
        if self._file.writer:
            self._file.writer.execute("UPDATE run SET status = 'running' WHERE status = 'crashed'")
        return count


class RefusesDamagedJournals(SqliteStore):
    def catch_up(self):
        note = super().catch_up()
        if self.read("SELECT 1 FROM problem WHERE kind = 'corrupt_line'")[1]:
            return "a journal is damaged"
        return note


class TakesWrites(SqliteStore):
    def read_untrusted(self, sql, parameters=(), *, timeout_seconds, max_rows):
        if sql.startswith(("UPDATE", "DELETE", "INSERT")):
            self._file.writer.execute(sql)
            return [], [], False
        return super().read_untrusted(sql, parameters, timeout_seconds=timeout_seconds, max_rows=max_rows)


class WritesWhereItReads(SqliteStore):
    def read(self, sql, parameters=()):
        if sql.startswith("INSERT"):
            self._file.writer.execute(sql)
            return [], []
        return super().read(sql, parameters)


class KnowsNoBounds(SqliteStore):
    def read_untrusted(self, sql, parameters=(), *, timeout_seconds, max_rows):
        return super().read_untrusted(sql, parameters, timeout_seconds=timeout_seconds, max_rows=10**6)


class SeesEveryState(SqliteStore):
    @contextmanager
    def snapshot(self):
        yield


class ClosesOnce(SqliteStore):
    def close(self):
        assert not getattr(self, "is_closed", False), "closed already"
        self.is_closed = True
        super().close()


class QuotesNothing(SqliteStore):
    """Column names that a person would have to quote."""

    def read(self, sql, parameters=()):
        columns, rows = super().read(sql, parameters)
        if "column_name" in columns:
            at = columns.index("column_name")
            rows = [(*row[:at], row[at].removesuffix("_"), *row[at + 1 :]) for row in rows]
        return columns, rows


class NamesNonFiniteOfNobody(SqliteStore):
    def read(self, sql, parameters=()):
        columns, rows = super().read(sql, parameters)
        if "non_finite" in columns:
            at = columns.index("non_finite")
            rows = [(*row[:at], _first_key(row[at]), *row[at + 1 :]) for row in rows]
        return columns, rows


def _first_key(special):
    if special is None or not special.startswith("{"):
        return special
    return json.dumps(dict([*json.loads(special).items()][:1]))


@pytest.mark.parametrize(
    ("store_type", "test"),
    [
        (DropsNan, StoreContract.test_every_value_of_an_element_comes_back_as_it_went_in),
        (DropsNan, StoreContract.test_every_number_of_a_series_comes_back_as_it_went_in),
        (DropsNan, StoreContract.test_what_is_not_finite_is_null_with_its_name_beside),
        (NamesNonFiniteOfNobody, StoreContract.test_what_is_not_finite_is_null_with_its_name_beside),
        (TruncatesTexts, StoreContract.test_every_value_of_an_element_comes_back_as_it_went_in),
        (TruncatesTexts, StoreContract.test_texts_of_runs_come_back_as_they_went_in),
        (WidensToText, StoreContract.test_every_value_of_an_element_comes_back_as_it_went_in),
        (WidensToText, StoreContract.test_every_hyperparameter_comes_back_as_it_went_in),
        (WidensToText, StoreContract.test_a_value_that_does_not_fit_is_kept_beside_and_told),
        (HoldsIntegersAsFloats, StoreContract.test_every_value_of_an_element_comes_back_as_it_went_in),
        (HoldsIntegersAsFloats, StoreContract.test_every_number_of_a_series_comes_back_as_it_went_in),
        (HoldsSingleFloats, StoreContract.test_every_number_of_a_series_comes_back_as_it_went_in),
        (HoldsBooleansAsTexts, StoreContract.test_every_value_of_an_element_comes_back_as_it_went_in),
        (TakesEmptyForNull, StoreContract.test_every_value_of_an_element_comes_back_as_it_went_in),
        (EndsTextsAtNul, StoreContract.test_a_text_with_odd_characters_is_kept_to_its_end),
        (TellsLocalTime, StoreContract.test_times_are_iso_8601_in_utc),
        (LowersNames, StoreContract.test_names_of_attributes_are_kept_and_their_columns_are_plain),
        (LowersNames, StoreContract.test_names_of_runs_dataflows_tags_and_metrics_are_kept),
        (QuotesNothing, StoreContract.test_names_are_mapped_by_the_rules),
        (StoresMetricsTwice, StoreContract.test_many_recorders_and_many_readers_store_each_event_once),
        (StoresElementsTwice, StoreContract.test_what_a_killed_process_recorded_is_in_once),
        (LosesALastRow, StoreContract.test_what_a_killed_process_recorded_is_in_once),
        (NeverCrashes, StoreContract.test_what_a_killed_process_recorded_is_in_once),
        (RefusesDamagedJournals, StoreContract.test_a_line_that_cannot_be_read_is_told_and_keeps_nothing_out),
        (ForgetsProblems, StoreContract.test_a_line_that_cannot_be_read_is_told_and_keeps_nothing_out),
        (ForgetsProblems, StoreContract.test_a_metric_that_is_no_number_is_told_with_its_value),
        (TellsProblemsWithoutValue, StoreContract.test_a_metric_that_is_no_number_is_told_with_its_value),
        (TellsProblemsWithoutValue, StoreContract.test_a_value_that_does_not_fit_is_kept_beside_and_told),
        (KeepsNoTextBeside, StoreContract.test_more_attributes_than_a_table_has_columns_for_are_kept),
        (ForgetsWhatIsBeyondColumns, StoreContract.test_more_attributes_than_a_table_has_columns_for_are_kept),
        (KnowsNoVersions, StoreContract.test_a_change_of_the_plan_is_a_new_version),
        (TakesWrites, StoreContract.test_nothing_is_written_by_reading),
        (WritesWhereItReads, StoreContract.test_nothing_is_written_by_reading),
        (KnowsNoBounds, StoreContract.test_sql_of_a_person_is_answered_within_bounds),
        (SeesEveryState, StoreContract.test_a_snapshot_is_of_one_state),
        (ClosesOnce, StoreContract.test_a_store_is_let_go_of_twice_and_opened_again),
    ],
    ids=lambda value: value.__name__.removeprefix("test_"),
)
def test_a_fault_of_a_store_is_found(store_type, test, tmp_path):
    with pytest.raises(AssertionError):
        test(StoreContract(), lambda folder: store_type(StoreFolder(folder)), tmp_path)
