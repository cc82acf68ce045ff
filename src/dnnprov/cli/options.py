"""Options that work before and after every subcommand, and the store they lead to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dnnprov.analysis.history import History, open_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.shell_completion import CompletionItem

Command = TypeVar("Command", bound="Callable[..., Any]")

_SETTINGS = "dnnprov.settings"


def _remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Keep an option that was given; the one nearest to the subcommand wins."""
    settings = ctx.find_root().meta.setdefault(_SETTINGS, {})
    if (
        parameter.name is not None
        and ctx.get_parameter_source(parameter.name) is not None
        and value not in (None, False)
    ):
        settings[parameter.name] = value
    return value


def global_options(command: Command) -> Command:
    """Add the options that every command takes; their values are read with `setting`."""
    options = [
        click.option(
            "--store",
            metavar="PLACE",
            expose_value=False,
            callback=_remember,
            help="Folder of the store; default: $DNNPROV_STORE, else ./.dnnprov.",
        ),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            expose_value=False,
            callback=_remember,
            help="Print JSON instead of a table.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def setting(name: str) -> Any:
    """The value of a global option, `None` where it was not given."""
    return click.get_current_context().find_root().meta.get(_SETTINGS, {}).get(name)


@contextmanager
def asked_history() -> Iterator[History]:
    """The history of the store that the options name."""
    with open_history(setting("store")) as history:
        yield history


def complete_run(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Names of runs, for the shell."""
    names = "SELECT name FROM run WHERE name IS NOT NULL GROUP BY name ORDER BY MAX(started_at) DESC"
    return _completions(ctx, incomplete, names, ["latest"])


def complete_dataflow(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Tags of dataflows, for the shell."""
    return _completions(ctx, incomplete, "SELECT tag AS name FROM dataflow ORDER BY tag", [])


def _completions(ctx: click.Context, incomplete: str, sql: str, more: list[str]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only the shell's completion needs it

    try:
        with open_history(ctx.find_root().meta.get(_SETTINGS, {}).get("store")) as history:
            names = [*more, *(row["name"] for row in history.query(sql))]
    except Exception:  # noqa: BLE001 - a shell that completes shows no errors
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)][:50]
