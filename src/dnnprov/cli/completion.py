"""`dnnprov completion SHELL`: the script that completes commands, options and names of runs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from dnnprov.cli.options import global_options


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@global_options
def completion(shell: str) -> None:
    """Print the completion script of a SHELL.

    For bash, put `eval "$(dnnprov completion bash)"` into ~/.bashrc.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell!r}")
    root = click.get_current_context().find_root()
    click.echo(kind(root.command, {}, "dnnprov", "_DNNPROV_COMPLETE").source())
