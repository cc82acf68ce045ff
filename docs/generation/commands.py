"""The reference of each command, from click: how it is called, what it does, its options."""

from __future__ import annotations

import inspect

import click

from dnnprov.cli.main import cli

ALL_COMMANDS = "options of every command"

_METAVARS = {click.IntRange: "N", click.FloatRange: "SECONDS", click.Path: "FILE", click.File: "FILE"}


def command_parts() -> dict[str, str]:
    """Name of a part -> its Markdown."""
    context = click.Context(cli, info_name="dnnprov")
    parts = {ALL_COMMANDS: _table(_own_options(cli))}
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        here = click.Context(command, parent=context, info_name=name)
        usage = here.get_usage().removeprefix("Usage: ")
        parts[f"dnnprov {name}"] = "\n\n".join(
            filter(None, [f"```text\n{' '.join(usage.split())}\n```", _words(command), _options(command, here)])
        )
    return parts


def _words(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "")


def _options(command: click.Command, context: click.Context) -> str:
    if isinstance(command, click.Group):
        return _table_of_group(command, context)
    return _table([one for one in _own_options(command) if one.name not in _everywhere()])


def _everywhere() -> set[str | None]:
    return {one.name for one in _own_options(cli)}


def _own_options(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden and one.name != "version"]


def _table(options: list[click.Option]) -> str:
    if not options:
        return "It has no options of its own."
    return "\n".join(
        ["| option | meaning |", "|---|---|", *(f"| {_shown(one)} | {_meaning(one)} |" for one in options)]
    )


def _table_of_group(group: click.Group, context: click.Context) -> str:
    """One row an option, saying which of its commands have it."""
    rows: dict[tuple[str, str], list[str]] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        for one in _own_options(command):
            if one.name not in _everywhere():
                rows.setdefault((_shown(one), _meaning(one)), []).append(name)
    lines = [
        f"| {shown} | {'all' if len(names) == len(group.list_commands(context)) else ' '.join(names)} | {meaning} |"
        for (shown, meaning), names in rows.items()
    ]
    return "\n".join(["| option | of | meaning |", "|---|---|---|", *lines])


def _shown(option: click.Option) -> str:
    metavar = "" if option.is_flag else f" {_metavar(option)}"
    return ", ".join(f"`{name}{metavar}`" for name in [*option.opts, *option.secondary_opts])


def _metavar(option: click.Option) -> str:
    known = next((word for kind, word in _METAVARS.items() if isinstance(option.type, kind)), None)
    if option.metavar or isinstance(option.type, click.Choice):
        return option.metavar or option.opts[-1].lstrip("-").upper()
    return known or {"integer": "N", "float": "NUMBER"}.get(option.type.name, option.opts[-1].lstrip("-").upper())


def _meaning(option: click.Option) -> str:
    words = [sentence(option.help or "")]
    if isinstance(option.type, click.Choice):
        words.append("One of " + ", ".join(f"`{choice}`" for choice in option.type.choices) + ".")
    default = option.default
    if option.show_default and isinstance(default, int | float | str) and not isinstance(default, bool):
        words.append(f"Default: `{default}`." if isinstance(default, str) else f"Default: {default:,g}.")
    return " ".join(words).replace("|", r"\|")


def sentence(words: str) -> str:
    """The words with a capital and a full stop."""
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
