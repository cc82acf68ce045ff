"""Runs the tests of the integrations with the oldest or the newest versions, and notes what they show.

Usage: python tests/versions.py oldest|newest [FRAMEWORK ...]  (`make versions` makes both environments and runs both)

It is run by the Python of an environment and tests what is installed there. What came of it goes into `versions.json`,
of which docs/generation/frameworks.py makes the table on docs/reference/frameworks.md. A test says what it shows to be
recorded with `@pytest.mark.captures("epochs", ...)`; the framework is that of its file, or named: `framework="torch"`.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TESTS = Path(__file__).parent
RESULTS = TESTS / "versions.json"

PACKAGES = {
    "keras": ("keras",),
    "torch": ("torch",),
    "lightning": ("lightning", "torch"),
    "transformers": ("transformers", "torch"),
    "accelerate": ("accelerate", "torch"),
    "jax": ("jax", "flax", "optax"),
    "sklearn": ("scikit-learn",),
    "optuna": ("optuna",),
    "keras_tuner": ("keras-tuner", "keras"),
    "ray": ("ray",),
}
"""Framework -> what is installed for it, the package of its own first."""

FILES = {"ray": "ray_tune"}
"""Of frameworks whose files of tests begin with another word than its name."""

FURTHER_FILES = ("faults/test_ranks.py", "integrations/test_autologging.py")
"""With marked tests, beside those of the integrations."""


@dataclass(frozen=True)
class Marked:
    """A test that shows something to be recorded.

    Attributes:
        file: relative to the folder of tests.
        name: of its function.
        framework: that it trains with.
        things: that it shows to be recorded.
    """

    file: str
    name: str
    framework: str
    things: tuple[str, ...]

    @property
    def key(self) -> str:
        """What it is known by in the results."""
        return f"{self.file}::{self.name}"


def files_of(framework: str) -> list[Path]:
    """The files of tests of one framework."""
    word = FILES.get(framework, framework)
    others = [other for other in (*PACKAGES, *FILES.values()) if other.startswith(f"{word}_")]
    return [
        path
        for path in sorted((TESTS / "integrations").glob(f"test_{word}*.py"))
        if path.stem == f"test_{word}" or path.stem.startswith(f"test_{word}_")
        if not any(path.stem.startswith(f"test_{other}") for other in others)
    ]


def marked_tests() -> list[Marked]:
    """All tests that say what they show, read from their source."""
    places = [(path, framework) for framework in PACKAGES for path in files_of(framework)]
    places += [(TESTS / file, "") for file in FURTHER_FILES]
    return [one for path, framework in places for one in _marked_in(path, framework)]


def _marked_in(path: Path, framework: str) -> list[Marked]:
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "captures":
                named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in mark.keywords}
                things = tuple(ast.literal_eval(argument) for argument in mark.args)
                file = path.relative_to(TESTS).as_posix()
                found.append(Marked(file, node.name, named.get("framework", framework), things))
    return found


def run(folder: Path, frameworks: Sequence[str]) -> dict[str, Counter[str]]:
    """Run the tests; what came of the cases of each: `passed`, `failed` or `skipped` -> how many."""
    report = folder / "report.xml"
    files = {path for framework in frameworks for path in files_of(framework)}
    files |= {TESTS / one.file for one in marked_tests() if one.framework in frameworks}
    # what an older version warns of is no concern of a test of ours
    options = ["-q", "--no-cov", "--numprocesses=logical", "-W", "default", f"--junitxml={report}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, sorted(files))], cwd=TESTS.parent, check=False
    )
    if done.returncode not in (0, 1):  # all passed, or some failed; otherwise not all of them ran
        raise SystemExit(f"pytest was left with {done.returncode} before its end; {RESULTS.name} stays as it was")
    return outcomes(report)


def outcomes(report: Path) -> dict[str, Counter[str]]:
    """What came of the cases of each test in a report of pytest; a file that cannot be imported is one that failed."""
    found: dict[str, Counter[str]] = {}
    for case in ET.parse(report).iter("testcase"):
        tags = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        outcome = "skipped" if tags == ["skipped"] else "failed" if tags else "passed"
        module, name = case.get("classname"), case.get("name", "").partition("[")[0]
        if not module:  # then the name is that of the file
            module, name = name, "import"
        file = module.removeprefix("tests.").replace(".", "/") + ".py"
        found.setdefault(f"{file}::{name}", Counter())[outcome] += 1
    return found


def results(found: dict[str, Counter[str]], frameworks: Sequence[str]) -> dict[str, object]:
    """Framework -> versions, how many cases passed, and by which tests it shows what."""
    told: dict[str, object] = {}
    marked = marked_tests()
    for framework in frameworks:
        files = {path.relative_to(TESTS).as_posix() for path in files_of(framework)}
        counts = sum((count for key, count in found.items() if key.partition("::")[0] in files), Counter())
        own = {one.key for one in marked if one.framework == framework}
        shown: dict[str, list[str]] = {}
        for one in marked:
            count = found.get(one.key, Counter())
            if one.framework == framework and count["passed"] and not count["failed"]:
                for thing in one.things:
                    shown.setdefault(thing, []).append(one.key)
        told[framework] = {
            "versions": {package: version(package).partition("+")[0] for package in PACKAGES[framework]},
            "cases": {outcome: counts[outcome] for outcome in ("passed", "failed", "skipped")},
            "failed": sorted(
                key
                for key, count in found.items()
                if count["failed"] and (key in own or key.partition("::")[0] in files)
            ),
            "captures": {thing: sorted(keys) for thing, keys in sorted(shown.items())},
        }
    return told


def main() -> int:
    """Run and write; frameworks that are not asked for stay as they are."""
    which, *frameworks = sys.argv[1:] or [""]
    if which not in {"oldest", "newest"} or not set(frameworks) <= PACKAGES.keys():
        print(f"{__doc__}\nFrameworks: {', '.join(PACKAGES)}", file=sys.stderr)
        return 2
    frameworks = frameworks or list(PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        told = results(run(Path(folder), frameworks), frameworks)
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    rows = known.get(which, {}) | told
    known[which] = {framework: rows[framework] for framework in PACKAGES if framework in rows}
    RESULTS.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
