"""What `dnnprov run` would record of a program: `python -m dnnprov.integrations.forecast SCRIPT`.

`dnnprov doctor SCRIPT` comes here. The program is read, not run: which modules it and those beside it import is what it
can train with. What is imported by a name that only the running program knows is not seen.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dnnprov.integrations.autologging import FRAMEWORKS, Framework, is_tested

OTHERS = {
    "jax": "loops with Flax and optax are recorded with dnnprov.jax.watch, one call an epoch",
    "flax": "loops are recorded with dnnprov.jax.watch, one call an epoch",
    "tensorflow": "a loop of GradientTape is recorded by hand, with dnnprov.start_run; what Keras trains is recorded",
    "mlflow": "what it logs is not read along; its store can be imported: dnnprov import mlflow",
    "tensorboard": "what it logs is not read along; its files can be imported: dnnprov import tensorboard",
    "tensorboardX": "what it logs is not read along; its files can be imported: dnnprov import tensorboard",
    "wandb": "what it logs is not read along",
}
"""Packages that nothing is recorded of by itself -> what there is instead."""

_WATCHED = frozenset({"jax", "flax"})
_LIBRARY = "dfa_lib_python"
_ABRUPT = {("os", "_exit"), ("os", "abort"), ("os", "execv"), ("os", "execve"), ("os", "execvp")}
_MAX_MODULES = 500


@dataclass(frozen=True)
class Forecast:
    """What is foreseen of one package, or of one thing that the program does.

    Attributes:
        name: of it.
        version: that is installed; `None` where it is not, or none is known.
        recorded: what will be, in words.
        not_recorded: what will not be.
        note: what else is to be known.
    """

    name: str
    version: str | None = None
    recorded: str = ""
    not_recorded: str = ""
    note: str = ""


def forecast(script: Path) -> list[Forecast]:
    """What is foreseen of a program.

    Args:
        script: of it.

    Raises:
        OSError: it cannot be read.
        SyntaxError: it is no Python.
    """
    seen = _Imports(script.absolute().parent)
    seen.read(script)
    known = {one.package: one for one in FRAMEWORKS}
    found = [_of_framework(one) for one in FRAMEWORKS if one.package in seen.packages]
    others = [one for one in OTHERS if one in seen.packages and one not in known]
    found += [_of_other(one, is_watched=seen.is_watched) for one in others]
    if _LIBRARY in seen.packages:
        said = "what the program tells; then nothing is recorded of its frameworks by itself"
        found.append(Forecast(_LIBRARY, None, said, note="stands for dnnprov.dfanalyzer"))
    if "dnnprov" in seen.packages:
        found.append(Forecast("dnnprov", _version("dnnprov"), "what the program tells of its own accord"))
    for call in sorted(seen.abrupt):
        found.append(Forecast(call, note="leaves what is under way without an end; it shows as crashed"))
    if not any(one.recorded for one in found):
        told = ", ".join(one.name for one in FRAMEWORKS)
        found.append(Forecast("nothing", not_recorded=f"no framework is imported that is recorded by itself: {told}"))
    return found


def _of_other(package: str, *, is_watched: bool) -> Forecast:
    """Of a package that nothing is recorded of by itself."""
    if is_watched and package in _WATCHED:
        return Forecast(package, _version(package), "the loops that the program watches with dnnprov.jax.watch")
    return Forecast(package, _version(package), not_recorded=OTHERS[package])


def _of_framework(framework: Framework) -> Forecast:
    version = _version(framework.package)
    if version is None:
        return Forecast(framework.name, not_recorded="it is imported and not installed")
    note = ""
    if framework.tested and not is_tested(framework, version):
        note = f"this version is untested, {' to '.join(framework.tested)} are; it is recorded as far as it is alike"
    return Forecast(framework.name, version, framework.captures, framework.leaves_out, note)


def _version(package: str) -> str | None:
    """Of an installed package; it is not imported for that."""
    with suppress(ImportError, ValueError):
        if importlib.util.find_spec(package) is not None:
            names = importlib.metadata.packages_distributions().get(package, [package])
            with suppress(importlib.metadata.PackageNotFoundError):
                return importlib.metadata.version(names[0])
            return "of unknown version"
    return None


class _Imports:
    """The packages that a program imports, with what it imports of its own folder.

    Args:
        folder: of the program.

    Attributes:
        packages: top-level ones.
        abrupt: calls that end the process without the end of a run.
        is_watched: whether `dnnprov.jax` is used.
    """

    def __init__(self, folder: Path) -> None:
        self.packages: set[str] = set()
        self.abrupt: set[str] = set()
        self.is_watched = False
        self._folder = folder
        self._read: set[Path] = set()

    def read(self, path: Path) -> None:
        """Look at a module, and at those that it imports from its own folder."""
        if path in self._read or len(self._read) >= _MAX_MODULES:
            return
        self._read.add(path)
        for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._take(alias.name, path)
            elif isinstance(node, ast.ImportFrom):
                self._take_from(node, path)
            elif isinstance(node, ast.Call):
                self._take_call(node, path)
            elif isinstance(node, ast.Attribute) and ast.unparse(node) == "dnnprov.jax":
                self.is_watched = True

    def _take(self, module: str, importer: Path) -> None:
        top = module.partition(".")[0]
        self.is_watched |= f"{module}.".startswith("dnnprov.jax.")
        own = self._own(self._folder / Path(*module.split("."))) or self._own(self._folder / top)
        if own is None:
            self.packages.add(top)
        else:
            self._read_own(own, importer)

    def _take_from(self, node: ast.ImportFrom, path: Path) -> None:
        if not node.level:
            self._take(node.module or "", path)
            self.is_watched |= node.module == "dnnprov" and any(alias.name == "jax" for alias in node.names)
            for alias in node.names:  # a module of a package beside the script
                own = self._own(self._folder / Path(*(node.module or "").split(".")) / alias.name)
                if own is not None:
                    self._read_own(own, path)
            return
        base = path.parents[node.level - 1] / Path(*(node.module or "").split("."))
        for place in [base, *(base / alias.name for alias in node.names)]:
            own = self._own(place)
            if own is not None:
                self._read_own(own, path)

    def _take_call(self, node: ast.Call, path: Path) -> None:
        called = node.func
        if not isinstance(called, ast.Attribute) or not isinstance(called.value, ast.Name):
            return
        if (called.value.id, called.attr) in _ABRUPT:
            self.abrupt.add(f"{called.value.id}.{called.attr}")
        named = node.args[0] if node.args else None
        if called.attr == "import_module" and isinstance(named, ast.Constant) and isinstance(named.value, str):
            self._take(named.value, path)

    def _read_own(self, own: Path, importer: Path) -> None:
        with suppress(OSError, SyntaxError):  # the program will say so itself
            if own != importer:
                self.read(own)

    @staticmethod
    def _own(place: Path) -> Path | None:
        """The file of a module at a place without ending."""
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if place.name and file.is_file():
                return file
        return None


def lines_of(script: Path, found: list[Forecast]) -> list[str]:
    """A forecast as text."""
    lines = [str(script)]
    width = max(len(f"{one.name} {one.version or ''}") for one in found)
    for one in found:
        said = [("recorded", one.recorded), ("not recorded", one.not_recorded), ("note", one.note)]
        head = f"{one.name} {one.version or ''}".ljust(width)
        for word, text in said:
            if text:
                lines.append(f"  {head}  {word + ':':13} {text}")
                head = " " * width
    return lines


def main(arguments: list[str]) -> int:
    """Print what is foreseen of a program.

    Args:
        arguments: the script; `--json` before it for a list of objects.
    """
    script = Path(arguments[-1])
    try:
        found = forecast(script)
    except (OSError, SyntaxError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"dnnprov: {str(script)!r} cannot be read as a Python script: {reason}", file=sys.stderr)  # noqa: T201
        return 2
    if "--json" in arguments[:-1]:
        print(json.dumps([asdict(one) for one in found]))  # noqa: T201 - the answer
    else:
        print("\n".join(lines_of(script, found)))  # noqa: T201 - likewise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
