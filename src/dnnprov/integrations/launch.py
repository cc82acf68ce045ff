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
    is_first_of_ranks,
    say_what_is_recorded,
)
from dnnprov.integrations.launched_process import LIBRARY_VARIABLE, ORIGINAL
from dnnprov.journal.folder import DEFAULT_FOLDER, FOLDER_VARIABLE, STORE_VARIABLE, is_database_url, store_place
from dnnprov.model.interpreter import interpreter_options

LAUNCHED = Path(__file__).with_name("launched")
"""Folder of the `sitecustomize` that interpreters find."""

_LAUNCHING_MODULES = ("torch.distributed.run", "torch.distributed.launch", "accelerate.commands.launch")
"""What is run with `-m` and starts scripts of other names."""

_PYTHON_SUFFIXES = (".py", ".pyw", ".pyc", ".pyz")


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
    if not is_switched_on(DISABLED_VARIABLE, default=False) and is_first_of_ranks():
        is_script = command[0] == sys.executable and chosen.program[0] not in _LAUNCHING_MODULES
        own_name = _name_of(chosen.program[0]) if is_script else None
        say_what_is_recorded(os.environ.get(DATAFLOW_VARIABLE) or own_name, switched_on)
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
        return [sys.executable, *interpreter_options(), "-m", *program]
    named = Path(program[0])
    if named.is_file() and not _is_command(named):
        return [sys.executable, *interpreter_options(), *program]
    if (named / "__main__.py").is_file():
        return [sys.executable, *interpreter_options(), *program]
    found = str(named.absolute()) if named.is_file() else shutil.which(program[0])
    return [found, *program[1:]] if found else None


def _is_command(file: Path) -> bool:
    """Whether a file is executed by something else than Python: a shell script, or a program for the machine."""
    if file.suffix.lower() in _PYTHON_SUFFIXES or not os.access(file, os.X_OK):
        return False
    with file.open("rb") as stream:
        beginning = stream.read(1024)
    if beginning.startswith(b"#!"):
        return b"python" not in beginning.partition(b"\n")[0]
    return b"\0" in beginning


def _settings(chosen: argparse.Namespace) -> dict[str, str]:
    """Variables by which the program's interpreters know what was asked for; full paths, since it may go elsewhere."""
    before = os.environ.get("PYTHONPATH")
    found = {"PYTHONPATH": os.pathsep.join([str(LAUNCHED), *([before] if before else [])])}
    place = store_place()
    if is_database_url(place):
        found[FOLDER_VARIABLE] = _full(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)
    else:
        found[STORE_VARIABLE] = _full(place)
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


def _full(folder: str) -> str:
    return folder if folder.startswith("~") else str(Path(folder).absolute())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
