"""`dnnprov run`: start a program as it is, in processes that record."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from dnnprov.cli.options import global_options, setting
from dnnprov.journal.folder import STORE_VARIABLE
from dnnprov.model.interpreter import interpreter_options

LAUNCHER = "dnnprov.integrations.launch"
"""A module of the recording side, which the command line starts and does not import."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-m", "is_module", is_flag=True, help="PROGRAM is a module, as for `python -m`.")
@click.option("--dataflow", metavar="TAG", help="Of runs that begin by themselves; default: by the name of PROGRAM.")
@click.option("--without", metavar="FRAMEWORK", multiple=True, help="Leave a framework alone: keras; more than once.")
@click.option("--original-dfa-lib", is_flag=True, help="Let dfa_lib_python be the one installed, if there is any.")
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@global_options
def run(
    *,
    is_module: bool,
    dataflow: str | None,
    without: tuple[str, ...],
    original_dfa_lib: bool,
    program: str,
    arguments: tuple[str, ...],
) -> None:
    """Run PROGRAM with its ARGUMENTS, unchanged, and record it.

    PROGRAM is a Python script, a module (-m), or a command that starts Python, as torchrun. What its frameworks train
    is recorded, as by dnnprov.autolog(); `dfa_lib_python` means dnnprov.dfanalyzer in it. Options of dnnprov stand
    before PROGRAM.
    """
    options = [f"--dataflow={dataflow}"] if dataflow else []
    options += [f"--without={one}" for one in without]
    options += [*(["--original-dfa-lib"] if original_dfa_lib else []), *(["-m"] if is_module else [])]
    command = [sys.executable, *interpreter_options(), "-m", LAUNCHER, *options, program, *arguments]
    environment = dict(os.environ)
    if store := setting("store"):
        environment[STORE_VARIABLE] = store
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(sys.executable, command, environment)  # noqa: S606 - it takes our place, signals and exit code and all
    sys.exit(subprocess.call(command, env=environment))  # noqa: S603 - likewise
