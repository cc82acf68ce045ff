from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress

import pytest
from click.shell_completion import BashComplete

import dnnprov
from dnnprov.analysis.table import cell_text
from dnnprov.cli import output
from dnnprov.cli.main import COMMANDS, cli, exit_code


@pytest.fixture
def two_runs(store):
    for rate, accuracy in ((0.1, 0.5), (0.01, 0.75)):
        with dnnprov.start_run("alexnet", params={"learning_rate": rate, "dropout": 0.4}) as run:
            with run.task("Training") as training:
                for epoch in range(1, 4):
                    training.log(epoch=epoch, loss=1 / epoch, val_accuracy=accuracy)
            with run.task("Testing", after=training) as testing:
                testing.log(accuracy=accuracy, loss=0.3)
    return store


@pytest.fixture
def run_cli(capsys):
    def run(*arguments):
        code = exit_code([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_runs_lists_each_run_once(two_runs, run_cli):
    code, out, err = run_cli("runs", "--json")
    rows = json.loads(out)
    assert (code, err) == (0, "")
    assert {row["name"]: (row["learning_rate"], row["accuracy"], row["accuracy_source"]) for row in rows} == {
        "alexnet-1": (0.1, 0.5, "test"),
        "alexnet-2": (0.01, 0.75, "test"),
    }


def test_a_table_for_people_has_the_same_and_leaves_empty_columns_out(two_runs, run_cli):
    code, out, _ = run_cli("runs")
    assert code == 0
    header = out.splitlines()[0].split()
    assert header[0] == "name"
    assert "learning_rate" in header
    assert "momentum" not in header
    assert out.count("alexnet-") == 2


def test_show_counts_values_that_are_no_numbers_where_there_are_some(two_runs, run_cli):
    assert "non_finite" not in run_cli("show", "latest")[1]
    with dnnprov.start_run("alexnet") as run:
        run.task("Training").log(epoch=1, loss=float("nan"))
    assert "num_non_finite" in run_cli("show", "latest")[1]


def test_a_table_of_many_runs_shows_the_latest_and_says_so(two_runs, run_cli, monkeypatch):
    monkeypatch.setattr("dnnprov.cli.runs.TABLE_ROWS", 1)
    _, out, err = run_cli("runs")
    assert "alexnet-2" in out
    assert "alexnet-1" not in out
    assert err.startswith("note: only the latest 1 runs are shown; --limit N shows more, --json all")
    assert run_cli("runs", "--limit", 2)[1].count("alexnet-") == 2
    assert len(json.loads(run_cli("runs", "--json")[1])) == 2


def test_a_table_is_laid_out_as_rich_does(capsys):
    """Which folds a table that is wider than the terminal, and takes a thousand times as long for many rows."""
    columns, rows = ["n", "long name", "x"], [[1, "長い名前 \t", None], [2.5, "", True], [None, "e\u0301", -1e-9]]
    output.print_table(columns, rows)
    plain = capsys.readouterr().out
    output._print_folded(
        columns, [[cell_text(value) for value in row] for row in rows], are_numbers=[True, False, True]
    )
    assert plain == capsys.readouterr().out


def on_a_terminal(columns, *arguments):
    """What a command writes to a terminal of so many columns."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (50, columns))
    command = [sys.executable, "-m", "dnnprov", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment):
        os.close(slave)
        seen = b""
        with suppress(OSError):  # it is closed on the other side
            while part := os.read(master, 1 << 16):
                seen += part
    os.close(master)
    return re.sub(r"\x1b\[[0-9;]*m", "", seen.decode()).replace("\r", "").splitlines()


def test_a_terminal_has_as_many_columns_of_an_answer_as_there_is_room_for(two_runs):
    with dnnprov.start_run("alexnet", params={f"p{number}": number for number in range(9)}):
        pass
    head, _, _, first, second, told, *_ = on_a_terminal(80, "runs")
    assert head.split()[:3] == ["name", "dataflow", "status"]
    assert max(map(len, (head, first, second))) <= 80
    assert (first.split()[0], second.split()[0]) == ("alexnet-2", "alexnet-1")
    num_left_out = int(re.match(r"not wide enough for (\d+) more columns: ", told)[1])
    whole = on_a_terminal(400, "runs")
    assert len(whole[0].split()) == len(head.split()) + num_left_out
    assert "not wide enough" not in "".join(whole)


def test_the_columns_that_a_query_names_are_all_shown_on_a_terminal(two_runs):
    shown = on_a_terminal(40, "query", "SELECT name, uid, uid AS again FROM run")
    assert shown[0].split() == ["name", "uid", "again"]
    assert max(map(len, shown)) <= 40
    assert len(shown) > 4  # two lines a row


@pytest.mark.parametrize("place", ["before", "after", "beats the variable"])
def test_global_options_work_before_and_after_the_subcommand(two_runs, run_cli, monkeypatch, tmp_path, place):
    monkeypatch.setenv("DNNPROV_STORE", str(tmp_path / "nowhere"))
    options = ["--store", two_runs, "--json"]
    arguments = [*options, "runs"] if place == "before" else ["runs", *options]
    if place == "beats the variable":
        arguments = ["--store", tmp_path / "other", "runs", *options]
    code, out, _ = run_cli(*arguments)
    assert code == 0
    assert len(json.loads(out)) == 2


def test_ask_works_with_the_options_of_the_group_too(two_runs, run_cli):
    answers = [
        run_cli("ask", *where)[1]
        for where in (["--json", "Q4"], ["q4", "--json"], ["Q4", "--dataflow", "alexnet", "--json"])
    ]
    assert len(set(answers)) == 1
    assert json.loads(answers[0]) == [
        {"run": "alexnet-2", "learning_rate": 0.01, "accuracy": 0.75, "accuracy_source": "test"}
    ]


@pytest.mark.parametrize("question", [f"Q{number}" for number in range(1, 9)])
def test_the_sql_that_ask_prints_can_be_pasted_into_query(two_runs, run_cli, question):
    arguments = [question, "--dataflow", "alexnet", *(["--epoch", "2"] if question == "Q1" else [])]
    code, answer, _ = run_cli("ask", *arguments, "--json")
    assert code == 0
    code, sql, _ = run_cli("ask", *arguments, "--sql")
    assert code == 0
    code, again, err = run_cli("query", sql, "--json")
    assert code == 0, err
    rows, pasted = json.loads(answer), json.loads(again)
    assert len(pasted) == len(rows)
    for row, other in zip(rows, pasted, strict=True):
        assert {name: other[name] for name in row} == row


def test_query_gives_objects_with_the_keys_of_the_select(two_runs, run_cli):
    code, out, _ = run_cli("query", "SELECT MAX(loss) AS worst FROM oTrainingModel", "--json")
    assert (code, json.loads(out)) == (0, [{"worst": 1.0}])


def test_a_cut_answer_is_said_on_stderr(two_runs, run_cli):
    code, out, err = run_cli("query", "SELECT epoch FROM otrainingmodel", "--limit", 2, "--json")
    assert code == 0
    assert len(json.loads(out)) == 2
    assert "2" in err
    assert "--limit" in err


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM run",
        "UPDATE run SET status = 'finished'",
        "DROP TABLE run",
        "INSERT INTO run (uid, status) VALUES ('x', 'y')",
        "ATTACH DATABASE '/tmp/x.db' AS x",
        "PRAGMA journal_mode = DELETE",
        "VACUUM INTO '/tmp/x.db'",
        "CREATE TABLE x (y)",
        "WITH x AS (SELECT 1) DELETE FROM run",
        "BEGIN",
        "SELECT load_extension('x')",
        "/* SELECT */ VACUUM",
    ],
)
def test_sql_that_writes_or_looks_outside_is_refused(two_runs, run_cli, sql):
    code, out, err = run_cli("query", sql)
    assert (code, out) == (1, "")
    assert err.startswith("dnnprov: ")
    assert "only SELECT" in err
    assert json.loads(run_cli("query", "SELECT COUNT(*) AS n FROM run", "--json")[1]) == [{"n": 2}]


def test_sql_that_runs_too_long_is_stopped(two_runs, run_cli):
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"
    code, _, err = run_cli("query", endless, "--timeout", 0.2)
    assert code == 1
    assert "longer than 0.2 s" in err


def test_sql_with_a_mistake_is_one_line_that_names_it(two_runs, run_cli):
    code, out, err = run_cli("query", "SELECT nonsense\nFROM run")
    assert (code, out) == (1, "")
    assert "no such column: nonsense" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "alexnt-2"], 3, "no run 'alexnt-2'; did you mean 'alexnet-2'?"),
        (["ask", "Q4", "--dataflow", "alexnt"], 3, "no dataflow 'alexnt'; did you mean 'alexnet'?"),
        (["runs", "--dataflow", "nothing"], 3, "no dataflow 'nothing'"),
        (["ask", "Q9"], 2, "No such command 'Q9'"),
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["runs", "--nonsense"], 2, "No such option"),
        (["ask", "Q1", "--epoch", "ten"], 2, "'ten' is not a valid integer"),
        (["runs", "--status", "sleeping"], 2, "'sleeping' is not one of"),
        (["export", "alexnet-1"], 2, "name a --format"),
        (["export", "alexnet-1", "-o", "x.docx"], 2, ".docx"),
    ],
)
def test_errors_are_one_line_with_the_right_code(two_runs, run_cli, arguments, code, message):
    found, out, err = run_cli(*arguments)
    assert found == code
    assert out == ""
    assert message in err
    assert err.startswith("dnnprov: ")
    assert err.count("\n") == 1


def test_no_store_is_code_3_and_a_store_of_another_version_is_code_4(two_runs, run_cli, tmp_path):
    code, _, err = run_cli("runs", "--store", tmp_path / "nowhere")
    assert code == 3
    assert "no store at" in err
    run_cli("runs")
    import sqlite3

    connection = sqlite3.connect(two_runs / "provenance.db")
    connection.execute("UPDATE schema_version SET version = 99")
    connection.commit()
    connection.close()
    code, _, err = run_cli("runs")
    assert code == 4
    assert "version 99" in err


def test_an_empty_answer_is_code_0_and_an_empty_list(two_runs, run_cli):
    code, out, _ = run_cli("ask", "Q1", "--epoch", 99, "--json")
    assert (code, json.loads(out)) == (0, [])


def test_show_has_everything_about_one_run(two_runs, run_cli):
    code, out, _ = run_cli("show", "latest", "--json")
    assert code == 0
    description = json.loads(out)
    assert list(description) == [
        "run",
        "hyperparameters",
        "metrics",
        "tasks",
        "adaptations",
        "files",
        "environment",
        "problems",
    ]
    assert description["run"]["name"] == "alexnet-2"
    assert description["hyperparameters"]["learning_rate"] == 0.01
    code, out, _ = run_cli("show", "alexnet-2")
    assert code == 0
    assert "learning_rate" in out


def test_a_name_that_two_runs_have_means_the_latest_and_says_so(store, run_cli):
    for number in range(2):
        with dnnprov.start_run("m", name="same", params={"number": number}):
            pass
    code, out, err = run_cli("show", "same", "--json")
    assert code == 0
    assert json.loads(out)["hyperparameters"]["number"] == 1
    assert err.startswith("note: ")


def test_a_prefix_of_the_uid_means_the_run(two_runs, run_cli):
    uid = json.loads(run_cli("runs", "--json")[1])[0]["uid"]
    assert json.loads(run_cli("show", uid[:6], "--json")[1])["run"]["uid"] == uid
    assert run_cli("show", uid[:3])[0] == 3


def test_a_live_run_is_answered_from_its_first_second(store, run_cli):
    with dnnprov.start_run("m") as run, run.task("Training") as training:
        assert json.loads(run_cli("runs", "--json")[1])[0]["status"] == "running"
        training.log(epoch=1, loss=0.5)
        assert json.loads(run_cli("ask", "Q1", "--epoch", 1, "--json")[1])[0]["value"] == 0.5


def test_doctor_is_content_with_a_sound_store_and_not_with_one_that_lost_something(two_runs, run_cli):
    code, out, _ = run_cli("doctor")
    assert code == 0
    assert "2 finished" in out
    assert "no problems" in out
    (archived,) = list((two_runs / "journal" / "archive").glob("*/*"))[:1]
    broken = two_runs / "journal" / "broken" / "r0-x.jsonl"
    broken.parent.mkdir()
    broken.write_text("nothing of ours\n")
    code, out, _ = run_cli("doctor", "--json")
    assert code == 1
    (problem,) = json.loads(out)["problems"]
    assert (problem["kind"], problem["count"], problem["is_loss"]) == ("refused_segment", 1, True)
    assert archived.exists()


def test_a_failure_in_a_hook_raises_the_count_that_doctor_shows(store, run_cli):
    with pytest.warns(RuntimeWarning), dnnprov.start_run("m") as run:
        for _ in range(3):
            with run.recorder.guarded("hook"):
                raise RuntimeError("x")
    code, out, _ = run_cli("doctor", "--json")
    assert code == 1
    assert [(p["kind"], p["count"]) for p in json.loads(out)["problems"]] == [("capture_failure", 3)]


@pytest.mark.parametrize(
    ("suffix", "begins"), [("provn", b"document"), ("json", b"{"), ("svg", b"<?xml"), ("png", b"\x89PNG")]
)
def test_export_writes_a_file_by_its_suffix_and_the_same_to_stdout(two_runs, tmp_path, run_cli, suffix, begins):
    pytest.importorskip("prov")
    path = tmp_path / f"run.{suffix}"
    code, out, err = run_cli("export", "alexnet-2", "-o", path)
    assert (code, out) == (0, "")
    assert f"wrote {path}" in err
    assert path.read_bytes().startswith(begins)
    command = [sys.executable, "-m", "dnnprov", "export", "alexnet-2", "--format", suffix, "--store", str(two_runs)]
    assert subprocess.run(command, capture_output=True, check=True).stdout.startswith(begins)


def test_nothing_but_the_answer_is_on_stdout(two_runs):
    for command in (["runs"], ["ask", "Q5"], ["query", "SELECT 1 AS one"], ["doctor"]):
        done = subprocess.run(
            [sys.executable, "-m", "dnnprov", *command, "--json"],
            env={**os.environ, "DNNPROV_STORE": str(two_runs)},
            capture_output=True,
            check=True,
        )
        json.loads(done.stdout)


def test_a_reader_that_has_seen_enough_is_no_error(two_runs):
    many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 9000) SELECT x FROM n"
    command = f"{sys.executable} -m dnnprov query '{many}' --store {two_runs} | head -2"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_hostile_names_do_no_harm_on_a_terminal(store, run_cli):
    evil = "\x1b[31mred\x1b[0m [bold]x[/bold]"
    with dnnprov.start_run("m", name=evil):
        pass
    _, out, _ = run_cli("runs")
    assert "\x1b" not in out
    assert "[bold]x[/bold]" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(run_cli, shell):
    code, out, _ = run_cli("completion", shell)
    assert code == 0
    assert "_DNNPROV_COMPLETE" in out


def test_the_shell_completes_commands_questions_and_names_of_runs(two_runs):
    def completions(arguments, incomplete):
        found = BashComplete(cli, {}, "dnnprov", "_DNNPROV_COMPLETE").get_completions(arguments, incomplete)
        return [item.value for item in found]

    assert completions([], "") == sorted(COMMANDS)
    assert completions(["ask"], "Q") == [f"Q{number}" for number in range(1, 9)]
    assert completions(["show"], "alex") == ["alexnet-2", "alexnet-1"]
    assert completions(["runs", "--dataflow"], "a") == ["alexnet"]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(run_cli, command):
    code, out, _ = run_cli(command, "--help")
    assert code == 0
    assert "--store" in out


@pytest.mark.parametrize("command", [[], ["ask"]])
def test_a_command_alone_prints_its_help_as_it_is(run_cli, command):
    code, out, err = run_cli(*command)
    assert (code, out) == (2, "")
    assert err.startswith("Usage: dnnprov")
    assert err.count("\n") > 8


def test_a_place_that_cannot_be_written_is_one_line(two_runs, run_cli, tmp_path):
    pytest.importorskip("prov")
    code, _, err = run_cli("export", "latest", "-o", tmp_path / "nowhere" / "x.provn")
    assert code == 1
    assert err == f"dnnprov: '{tmp_path}/nowhere/x.provn': No such file or directory\n"


def test_ctrl_c_in_a_query_is_an_interrupt_and_no_time_out(two_runs):
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"
    process = subprocess.Popen(
        [sys.executable, "-m", "dnnprov", "query", endless, "--store", str(two_runs)], stderr=subprocess.PIPE, text=True
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err.strip()) == (130, "dnnprov: interrupted")


def test_show_has_adaptations_of_text_too(store, run_cli):
    with dnnprov.start_run("m", params={"optimizer_name": "SGD"}) as run:
        run.task("Training").log(epoch=1, loss=1.0)
        run.set_params(optimizer_name="Adam")
    (change,) = json.loads(run_cli("show", "latest", "--json")[1])["adaptations"]
    assert (change["attribute"], change["old_value"], change["new_value"]) == ("optimizer_name", "SGD", "Adam")
