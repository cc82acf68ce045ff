"""The reference is held to the code: what the code has stands on the page, and the page names nothing else."""

from __future__ import annotations

import inspect
import re
import tomllib
from dataclasses import fields
from enum import Enum
from typing import get_args

import click
import pytest

import dnnprov
from dnnprov import errors
from dnnprov.analysis.health import LOSSES, MEANINGS
from dnnprov.analysis.questions import QUESTIONS
from dnnprov.analysis.run_view import RunView
from dnnprov.cli.main import cli
from dnnprov.model.events import AnyEvent, Event

COMMANDS = "docs/reference/interface-of-the-command-line.md"
API = "docs/reference/python-api.md"


def option_names(parameters):
    return {name for one in parameters if isinstance(one, click.Option) for name in one.opts}


def written_options(rows):
    return {name for row in rows for name in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row[0])}


def test_every_command_and_option_is_on_the_page_and_no_other(page, monkeypatch):
    text = page(COMMANDS).text
    context = click.Context(cli)
    everywhere = option_names(cli.params) - {"--version"}
    assert written_options(page(COMMANDS).table("Options of every command")) == everywhere
    assert sorted(re.findall(r"^## `dnnprov (\w+)`$", text, re.MULTILINE)) == cli.list_commands(context)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        found = set(option_names(command.params))
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                found |= option_names(command.get_command(context, inner).params)
        assert written_options(page(COMMANDS).table(f"`dnnprov {name}`")) == found - everywhere, name


def test_the_options_of_each_question_are_on_the_page(page):
    of = {re.search(r"--[a-z]+", option)[0]: question for option, question, _ in page(COMMANDS).table("`dnnprov ask`")}
    ask = cli.get_command(click.Context(cli), "ask")
    for question in QUESTIONS:
        own = option_names(ask.get_command(click.Context(ask), question).params) - {"--store", "--json"}
        assert own == {
            option for option, questions in of.items() if questions == "all" or question in questions.split()
        }


def test_every_environment_variable_of_the_code_is_on_the_page(page):
    root = page(COMMANDS).path.parents[2]
    used = {
        name
        for path in (root / "src").rglob("*.py")
        for name in re.findall(r'"(DNNPROV_[A-Z_]+)"', path.read_text(encoding="utf-8"))
    }
    assert used == {row[0].strip("`") for row in page(COMMANDS).table("Environment variables")}


def test_every_public_name_is_on_the_page(page, names):
    listed = {name for row in page(API).table() for name in names(row[0])}
    assert set(dir(dnnprov)) <= listed


@pytest.mark.parametrize(
    "kind", [dnnprov.Run, dnnprov.RunTask, dnnprov.History, dnnprov.Result, RunView], ids=lambda kind: kind.__name__
)
def test_every_public_member_is_in_its_section(page, kind):
    section = page(API).section(kind.__name__)
    own = {name for name in vars(kind) if not name.startswith("_")}
    missing = {name for name in own if not re.search(rf"`{name}\b", section)}
    assert not missing


@pytest.mark.parametrize("kind", [dnnprov.Run, dnnprov.RunTask, dnnprov.History], ids=lambda kind: kind.__name__)
def test_the_arguments_that_the_page_shows_are_those_of_the_code(page, kind):
    for row in page(API).table(kind.__name__):
        name, shown = re.fullmatch(r"`(\w+)\((.*)\)`", row[0]).groups()
        parameters = list(inspect.signature(getattr(kind, name)).parameters.values())[1:] if name else []
        expected = [f"**{one.name}" if one.kind is one.VAR_KEYWORD else one.name for one in parameters]
        assert [argument.partition("=")[0].strip() for argument in shown.split(", ") if argument] == expected, name


def test_functions_and_change_have_the_arguments_that_the_page_shows(page):
    start_run = page(API).section("`start_run`")
    assert [row[0].strip("`") for row in page(API).table("`start_run`")] == list(
        inspect.signature(dnnprov.start_run).parameters
    )
    assert "dnnprov.start_run(dataflow" in start_run
    change = page(API).section("Change")
    assert all(re.search(rf"\b{one.name}\b", change) for one in fields(dnnprov.Change))


def test_every_member_of_the_callback_is_on_the_page(page):
    from dnnprov.keras import ProvenanceCallback

    section = page(API).section("ProvenanceCallback")
    own = {name for name in vars(ProvenanceCallback) if not re.match(r"_|on_|set_model|before_|behind_", name)}
    assert own == {re.match(r"`(\w+)", row[0])[1] for row in page(API).table("ProvenanceCallback")}
    assert all(name in section for name in list(inspect.signature(ProvenanceCallback.__init__).parameters)[1:])


@pytest.mark.parametrize(
    ("module", "name", "heading"),
    [
        ("lightning", "Callback", "Lightning"),
        ("lightning", "Logger", "Lightning"),
        ("transformers", "Callback", "Transformers and Accelerate"),
        ("accelerate", "Tracker", "Transformers and Accelerate"),
    ],
)
def test_what_trainers_are_given_is_on_the_page(page, module, name, heading):
    kind = getattr(getattr(dnnprov, module), name)
    section = page(API).section(heading)
    shown = re.search(rf"`dnnprov\.{module}\.{name}\((.*?)\)`", section, re.DOTALL)[1]
    arguments = [one.partition("=")[0].strip() for one in shown.split(",")]
    assert arguments == list(inspect.signature(kind.__init__).parameters)[1:]
    for_integrations = {"recording", "is_silent", "is_recording", "tie", "checkpoint_written", "model_saved"}
    for_integrations |= {"framework", "make_recording"}
    of_frameworks = {"setup", "teardown", "training_failed", "name", "requires_logging_directory", "main_process_only"}
    ours = [base for base in kind.__mro__ if base.__module__.startswith("dnnprov.")]
    own = {one for base in ours for one in vars(base) if not re.match("_|on_", one)} - for_integrations - of_frameworks
    assert not [one for one in own if not re.search(rf"`{one}\b", section)]


PAPERS_FACE = (
    dnnprov.Dataflow, dnnprov.Transformation, dnnprov.Set, dnnprov.SetType, dnnprov.Attribute, dnnprov.AttributeType,
    dnnprov.Program, dnnprov.Task, dnnprov.TaskStatus, dnnprov.DataSet, dnnprov.Element, dnnprov.File,
    dnnprov.Dependency,
)  # fmt: skip


@pytest.mark.parametrize("kind", PAPERS_FACE, ids=lambda kind: kind.__name__)
def test_every_class_of_the_paper_s_face_is_on_the_page_with_its_arguments_and_members(page, names, kind):
    rows = page(API).table("The paper's face")
    (row,) = [row for row in rows if re.match(rf"`{kind.__name__}[(`]", row[0])]
    written = {re.match(r"\w*", name)[0] for name in names(" ".join(row))}
    public = {name for name in vars(kind) if not name.startswith("_")} - {"name", "path", "role", "type"}
    assert public <= written
    if not issubclass(kind, Enum):
        arguments = [one for one in inspect.signature(kind).parameters if one != "self"]
        assert [name for name in arguments if not re.search(rf"\b{name}\b", row[0])] == []


def test_the_methods_that_models_get_are_on_the_page(page):
    import keras

    import dnnprov.keras

    assert dnnprov.keras
    rows = page(API).table("Provenance of a model")
    shown = {re.match(r"`(\w+)\((.*)\)`", row[0]).groups() for row in rows}
    for name, arguments in shown:
        expected = [one.lstrip("*").partition("=")[0] for one in arguments.split(", ") if one]
        assert list(inspect.signature(getattr(keras.Model, name)).parameters)[1:] == expected


def test_every_error_is_in_the_tree_under_its_base(page):
    tree = page(API).section("Errors")
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, errors.DnnprovError):
            line = next((line for line in tree.splitlines() if re.search(rf"\b{name}\b", line)), None)
            assert line, name
            others = [base.__name__ for base in error.__bases__ if not issubclass(base, errors.DnnprovError)]
            assert all(f"(also {base})" in line for base in others if base != "Exception")


def test_every_exit_code_is_on_the_page(page):
    assert [row[0] for row in page(COMMANDS).table("Exit codes")] == ["0", "1", "2", "3", "4", "130"]


def test_every_event_and_its_fields_are_on_the_page(page, names):
    rows = {row[0].strip("`"): names(row[2]) for row in page("docs/reference/journal-format.md").table("Events")}
    base = set(Event.__struct_fields__)
    assert rows == {event.__name__: set(event.__struct_fields__) - base for event in get_args(AnyEvent)}


def test_the_lines_that_the_page_shows_are_events(page):
    from dnnprov.journal.format import decode

    for block in page("docs/reference/journal-format.md").blocks("json"):
        for number, line in enumerate(block.text.splitlines()):
            assert decode(line.encode()).seq == number


def test_every_question_is_on_the_page_in_its_words(page):
    questions = page("docs/reference/questions.md")
    for question in QUESTIONS.values():
        section = questions.section(question.id)
        assert f"> {question.text}\n" in section
        assert f"Class {question.question_class}." in section
        columns = re.search(r"Columns: (.*?)[.,] ?(then|No|\n)", section)[1]
        assert re.findall(r"`(\w+)`", re.sub(r" \(.*?\)", "", columns)) == list(question.columns)
        written = {row[0].strip("`"): row[1] for row in questions.table(question.id)}
        own = {parameter.name: str(parameter.default) for parameter in question.parameters}
        assert {name: default for name, default in written.items() if name != "run"} == own
        assert ("run" in written) == question.takes_run


def test_every_problem_is_on_the_page_and_which_are_losses(page):
    rows = page("docs/reference/problems.md").table()
    assert {row[0].strip("`") for row in rows} == set(MEANINGS)
    assert {row[0].strip("`") for row in rows if row[1] == "yes"} == LOSSES


def test_every_dependency_is_on_the_page_and_no_other(page):
    dependencies = page("docs/reference/dependencies.md")
    settings = tomllib.loads((dependencies.path.parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    wanted = {"Always installed": project["dependencies"], "To build": settings["build-system"]["requires"]}
    wanted |= {f"Extra `{name}`": packages for name, packages in project["optional-dependencies"].items()}
    wanted |= {f"Group `{name}`": packages for name, packages in settings["dependency-groups"].items()}
    assert re.findall(r"^## (.*)$", dependencies.text, re.MULTILINE) == [
        *list(wanted)[:1],
        *list(wanted)[2:],
        "To build",
    ]
    for heading, packages in wanted.items():
        expected = {re.match(r"[\w.-]+", package)[0] for package in packages}
        rows = dependencies.table(heading)
        assert {row[0].strip("`") for row in rows} == expected, heading
        assert all(row[1] for row in rows)
