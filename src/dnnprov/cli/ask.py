"""`dnnprov ask Q1` ... `Q8`: the paper's questions, each with the parameters it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dnnprov.analysis.questions import QUESTIONS
from dnnprov.cli.options import asked_history, complete_dataflow, complete_run, global_options
from dnnprov.cli.output import print_notes, print_result

if TYPE_CHECKING:
    from dnnprov.analysis.questions import Question


class QuestionGroup(click.Group):
    """A command for each question, whatever the case of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, D102 - as click has it
        return list(QUESTIONS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002, D102 - as click has it
        question = QUESTIONS.get(cmd_name.upper())
        return None if question is None else _command(question)


@click.group(cls=QuestionGroup, subcommand_metavar="QUESTION [OPTIONS]")
@global_options
def ask() -> None:
    """Answer one of the eight questions of the paper's Table 1."""


def _command(question: Question) -> click.Command:
    @global_options
    def answer(*, dataflow: str | None, run: str | None = None, show_sql: bool, **parameters: Any) -> None:
        with asked_history() as history:
            result = history.ask(question.id, dataflow=dataflow, run=run, **parameters)
        if show_sql:
            print_notes(result.notes)
            click.echo(result.sql)
        else:
            print_result(result)

    options: list[click.Parameter] = [
        click.Option(
            ["--dataflow"],
            metavar="TAG",
            shell_complete=complete_dataflow,
            help="The model that is meant; needed where the store has several dataflows.",
        ),
        *([_run_option()] if question.takes_run else []),
        *(
            click.Option(
                [f"--{parameter.name.replace('_', '-')}"],
                type=parameter.type,
                default=parameter.default,
                show_default=True,
                help=parameter.help,
            )
            for parameter in question.parameters
        ),
        click.Option(
            ["--sql", "show_sql"], is_flag=True, help="Print the SQL instead of its answer, values filled in."
        ),
    ]
    command = click.command(question.id, help=f"{question.text}\n\nClass {question.question_class} of the paper.")(
        answer
    )
    command.params[:0] = options
    return command


def _run_option() -> click.Option:
    return click.Option(
        ["--run"],
        metavar="RUN",
        shell_complete=complete_run,
        help="The run that is meant; default: the latest, for Q2 the latest with layers.",
    )
