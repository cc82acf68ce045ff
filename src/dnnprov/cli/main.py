"""The command `dnnprov`: finds the subcommand, and turns every error into one line and an exit code.

Exit codes: 0 answered (also with nothing), 1 error, 2 wrong usage, 3 unknown run, dataflow or store, 4 store of
another schema version, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import click

from dnnprov.cli.options import global_options
from dnnprov.errors import DnnprovError, NotFoundError, SchemaVersionError, UsageError

DEBUG_VARIABLE = "DNNPROV_DEBUG"

COMMANDS = {
    "ask": ("dnnprov.cli.ask", "ask"),
    "completion": ("dnnprov.cli.completion", "completion"),
    "doctor": ("dnnprov.cli.doctor", "doctor"),
    "export": ("dnnprov.cli.export", "export"),
    "gc": ("dnnprov.cli.gc", "gc"),
    "import": ("dnnprov.cli.importing", "import_group"),
    "ingest": ("dnnprov.cli.ingest", "ingest"),
    "lineage": ("dnnprov.cli.lineage", "lineage"),
    "query": ("dnnprov.cli.query", "query"),
    "rebuild": ("dnnprov.cli.rebuild", "rebuild"),
    "run": ("dnnprov.cli.run", "run"),
    "runs": ("dnnprov.cli.runs", "runs"),
    "serve": ("dnnprov.cli.serve", "serve"),
    "show": ("dnnprov.cli.runs", "show"),
}
"""Subcommand -> module and command in it; a module is loaded only when its command is called."""


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, D102 - as click has it
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002, D102 - as click has it
        home = COMMANDS.get(cmd_name)
        if home is None:
            return None
        command: click.Command = getattr(importlib.import_module(home[0]), home[1])
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dnnprov", prog_name="dnnprov")
@global_options
def cli(**_: Any) -> None:
    """Ask the provenance of deep-learning trainings, also while they run.

    A RUN is a uid, the first 4 or more characters of one, a name, or `latest`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: without the program's name; those of the process where left out.
    """
    sys.exit(exit_code(arguments))


def exit_code(arguments: list[str] | None = None) -> int:  # noqa: C901, PLR0911 - one line a kind of end
    """Run the command line; errors are printed to stderr as one line."""
    try:
        result = cli.main(args=arguments, prog_name="dnnprov", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)  # noqa: T201 - the help, as it is
        return 2
    except click.UsageError as error:
        hint = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        return _fail(f"{error.format_message()}{hint}", 2)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except BrokenPipeError:  # whoever read the answer has seen enough, as `| head` does
        sys.stderr.close()
        return 0
    except DnnprovError as error:
        return _fail(str(error), _code_of(error))
    except OSError as error:
        place = f"{error.filename!r}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}", 1)
    except Exception as error:  # noqa: BLE001 - a fault of ours; who asked gets a line, not a page
        if os.environ.get(DEBUG_VARIABLE) == "1":
            traceback.print_exc()
        where = f"{DEBUG_VARIABLE}=1 shows where"
        return _fail(f"unexpected {type(error).__name__}: {error}; please report it; {where}", 1)
    return result if isinstance(result, int) else 0


def _code_of(error: DnnprovError) -> int:
    if isinstance(error, NotFoundError):
        return 3
    if isinstance(error, SchemaVersionError):
        return 4
    return 2 if isinstance(error, UsageError) else 1


def _fail(message: str, code: int) -> int:
    print(f"dnnprov: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201 - the command line prints
    return code
