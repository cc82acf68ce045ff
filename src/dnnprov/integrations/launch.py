"""Starts a program as it is, in processes that record: `python -m dnnprov.integrations.launch SCRIPT ARGS...`.

`dnnprov run` comes here. The program gets an interpreter of its own, so that its stack traces, its `__main__`, its
exit and its signals are those it has without us. What it is told by is the environment: the folder `launched` stands
first in PYTHONPATH, and each interpreter that finds it, the program's own and those that it starts, calls `prepare`
of `launched_process` before the program.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from dnnprov.capture.start import DISABLED_VARIABLE
from dnnprov.capture.switches import is_switched_on
from dnnprov.integrations.autologging import (
    DATAFLOW_VARIABLE,
    FRAMEWORKS,
    WITHOUT_VARIABLE,
    frameworks_left_out,
    say_what_is_recorded,
)
from dnnprov.integrations.launched_process import LIBRARY_VARIABLE, ORIGINAL

LAUNCHED = Path(__file__).with_name("launched")
"""Folder of the `sitecustomize` that interpreters find."""


def main(arguments: list[str]) -> int:
    """Become the program, where the system can; else run it and give back its exit code.

    Args:
        arguments: options of ours, the script, `-m` and a module, or a command, and what follows for it.
    """
    chosen = _parser().parse_args(arguments)
    command = _command(chosen.program, is_module=chosen.is_module)
    if command is None:
        named = repr(chosen.program[0]) if chosen.program else "nothing"
        message = f"{named} is neither a file nor a command; name a script, -m MODULE, or a command"
        print(f"dnnprov: {message}", file=sys.stderr)  # noqa: T201 - the command line prints
        return 2
    os.environ.update(_settings(chosen))
    switched_on = [one for one in FRAMEWORKS if one.name not in frameworks_left_out()]
    if not is_switched_on(DISABLED_VARIABLE, default=False):
        say_what_is_recorded(os.environ.get(DATAFLOW_VARIABLE) or _name_of(chosen.program[0]), switched_on)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execvp(command[0], command)  # noqa: S606 - the user's own program
    return subprocess.call(command)  # noqa: S603 - likewise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dnnprov run", description="Run a program as it is, and record it.")
    parser.add_argument("--original-dfa-lib", action="store_true", help="let dfa_lib_python be the installed one")
    parser.add_argument("--dataflow", metavar="TAG", help="of runs that begin by themselves")
    parser.add_argument(
        "--without",
        metavar="FRAMEWORK",
        action="append",
        default=[],
        choices=[one.name for one in FRAMEWORKS],
        help="leave a framework alone",
    )
    parser.add_argument("-m", dest="is_module", action="store_true", help="the program is a module")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="script or command, and its arguments")
    return parser


def _command(program: list[str], *, is_module: bool) -> list[str] | None:
    """The command that runs a program; `None` where there is none."""
    if not program:
        return None
    if is_module:
        return [sys.executable, *_interpreter_options(), "-m", *program]
    if Path(program[0]).exists():
        return [sys.executable, *_interpreter_options(), *program]
    return program if shutil.which(program[0]) else None


def _interpreter_options() -> list[str]:
    """Those that this interpreter was started with, as `-X dev`."""
    given = sys.orig_argv[1:]
    return given[: given.index("-m")] if "-m" in given else []


def _settings(chosen: argparse.Namespace) -> dict[str, str]:
    """Variables by which the program's interpreters know what was asked for."""
    before = os.environ.get("PYTHONPATH")
    found = {"PYTHONPATH": os.pathsep.join([str(LAUNCHED), *([before] if before else [])])}
    if chosen.original_dfa_lib:
        found[LIBRARY_VARIABLE] = ORIGINAL
    if chosen.dataflow:
        found[DATAFLOW_VARIABLE] = chosen.dataflow
    if chosen.without:
        found[WITHOUT_VARIABLE] = ",".join(chosen.without)
    return found


def _name_of(program: str) -> str:
    """As `program_name` finds it in the program."""
    return Path(program).stem if Path(program).exists() else program.removesuffix(".__main__").rpartition(".")[2]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
