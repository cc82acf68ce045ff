"""`dnnprov.autolog()`: the frameworks that a program uses record by themselves, now or as soon as they are imported.

Each framework has an entry in `FRAMEWORKS` and, in its own package, an `activation.py` whose `activate(settings)` puts
its hooks in place. It is called once, right after the framework is loaded. The settings are one object for the whole
process, which a later call of `autolog` changes: an integration asks it at each training whether it is to record that.

A training that a higher framework records is not recorded again by a lower one: see `claims`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnprov.capture.launcher import find_launch
from dnnprov.capture.start import DISABLED_VARIABLE
from dnnprov.capture.switches import is_switched_on
from dnnprov.capture.user_warning import warn_user
from dnnprov.errors import UsageError
from dnnprov.integrations.run_choice import RunChoice
from dnnprov.integrations.when_imported import run_when_imported

if TYPE_CHECKING:
    from types import ModuleType


DATAFLOW_VARIABLE = "DNNPROV_DATAFLOW"
"""Tag of the runs that begin by themselves, where no call says it."""

WITHOUT_VARIABLE = "DNNPROV_WITHOUT"
"""Names of frameworks that programs started by `dnnprov run` do not record, with commas."""


@dataclass(frozen=True)
class Framework:
    """A framework whose trainings are recorded without a call of the user's.

    Attributes:
        name: of its switch: `autolog(torch=False)`.
        package: top-level package whose import activates it.
        activation: module of ours with `activate(settings) -> None`.
        captures: what is recorded of it, in a few words.
        tested: the oldest and the newest version that tests run with; others are warned of, and recorded.
        leaves_out: what is not recorded without a call of the user's, in a few words.
    """

    name: str
    package: str
    activation: str
    captures: str
    tested: tuple[str, str] | None = None
    leaves_out: str = ""


FRAMEWORKS = (
    Framework(
        "keras_tuner",
        "keras_tuner",
        "dnnprov.integrations.keras_tuner.activation",
        "searches and trials of Keras Tuner",
        ("1.4", "1.4"),
    ),
    Framework(
        "optuna",
        "optuna",
        "dnnprov.integrations.optuna.activation",
        "studies and trials of Optuna",
        ("4.0", "5.0"),
    ),
    Framework(
        "ray",
        "ray",
        "dnnprov.integrations.ray_tune.activation",
        "experiments and trials of Ray Tune",
        ("2.44", "2.60"),
        "what trains in the processes of Ray's trials, but for what they report",
    ),
    Framework(
        "keras",
        "keras",
        "dnnprov.integrations.keras.activation",
        "fit, evaluate and files of Keras",
        ("3.12", "3.15"),
        "loops of your own without `with provenance.training(model)`; values of single batches without batches=True",
    ),
    Framework(
        "lightning",
        "lightning",
        "dnnprov.integrations.lightning.activation",
        "fit, validate, test and checkpoints of Lightning",
        ("2.2", "2.6"),
    ),
    Framework(
        "pytorch_lightning",
        "pytorch_lightning",
        "dnnprov.integrations.lightning.activation",
        "fit, validate, test and checkpoints of Lightning",
        ("2.2", "2.6"),
    ),
    Framework(
        "transformers",
        "transformers",
        "dnnprov.integrations.transformers.activation",
        "train, evaluate, predict and checkpoints of the Trainer of Transformers",
        ("5.0", "5.24"),
    ),
    Framework(
        "torch",
        "torch",
        "dnnprov.integrations.torch.activation",
        "training loops and files of PyTorch",
        ("2.4", "2.13"),
        "accuracy and whatever else only the loop knows, without run.log_epoch",
    ),
    Framework(
        "sklearn",
        "sklearn",
        "dnnprov.integrations.sklearn.activation",
        "fit and score of scikit-learn",
        ("1.5", "1.9"),
        "partial_fit; the fits of a cross-validation",
    ),
)
"""Those that `autolog` knows, the ones built on others before these."""


class Settings:
    """What the program asked `autolog` for last."""

    def __init__(self) -> None:
        self._dataflow: str | None = None
        self._is_on: dict[str, bool] = {}

    @property
    def dataflow(self) -> str:
        """Tag of the runs that trainings begin where no run encloses them."""
        return self._dataflow or os.environ.get(DATAFLOW_VARIABLE) or program_name()

    def take(self, dataflow: str | None, is_on: dict[str, bool]) -> None:
        """Go by this from now on."""
        self._dataflow, self._is_on = dataflow, is_on

    def is_on(self, name: str) -> bool:
        """Whether a framework, by the name of its switch, is switched on."""
        return self._is_on.get(name, False) and not is_switched_on(DISABLED_VARIABLE, default=False)

    def records(self, name: str) -> bool:
        """Whether trainings of a framework are to be recorded now: not while the program tells them itself.

        It does so with the classes of `dfa_lib_python`; the same training would be two runs.
        """
        told = sys.modules.get("dnnprov.dfanalyzer.recording")
        return self.is_on(name) and not (told is not None and told.is_under_way())

    def choice(self) -> RunChoice:
        """The run for a training: that of an enclosing `with start_run`, else one of its own."""
        return RunChoice(self.dataflow)


_settings = Settings()
_activated: set[str] = set()
_said: set[str] = set()
_lock = threading.RLock()


def autolog(dataflow: str | None = None, **frameworks: bool) -> None:
    """Record what the frameworks of this program train, without any other call.

    What is imported is recorded from now on, what is imported later from then on. A training inside
    `with dnnprov.start_run(...)` belongs to that run; any other begins a run of its own. One line on stderr says what
    will be recorded. A second call changes what it names and what it leaves out, for what begins from then on: a
    training that is under way is recorded to its end.

    Args:
        dataflow: tag of the runs that begin by themselves; the name of the script where it is left out.
        **frameworks: False for a framework that is not to be recorded: `keras=False`.

    Raises:
        UsageError: an argument that cannot be meant. Nothing is ever raised later, out of a training.

    Example:
        ```python
        import dnnprov

        dnnprov.autolog()
        ```
    """
    if dataflow is not None and (not isinstance(dataflow, str) or not dataflow):
        raise UsageError(f"dataflow={dataflow!r} is no tag; expected text such as 'alexnet'")
    _check_switches(frameworks)
    with _lock:
        _settings.take(dataflow, {one.name: frameworks.get(one.name, True) for one in FRAMEWORKS})
        if not is_switched_on(DISABLED_VARIABLE, default=False):
            if _is_main_process() and is_first_of_ranks():
                say_what_is_recorded(_settings.dataflow, [one for one in FRAMEWORKS if _settings.is_on(one.name)])
            _wait_for_frameworks()


def autolog_launched() -> None:
    """Do as `autolog` in a process that `dnnprov run` started, which said what is recorded."""
    with _lock:
        left_out = frameworks_left_out()
        _settings.take(None, {one.name: one.name not in left_out for one in FRAMEWORKS})
        _wait_for_frameworks()


def frameworks_left_out() -> list[str]:
    """The switches that the environment turns off for programs that `dnnprov run` starts."""
    return [name for name in re.split(r"[\s,]+", os.environ.get(WITHOUT_VARIABLE, "")) if name]


def _wait_for_frameworks() -> None:
    for framework in FRAMEWORKS:
        if _settings.is_on(framework.name):
            run_when_imported(framework.package, framework.activation, lambda one=framework: _activate(one))  # type: ignore[misc]


def default_dataflow() -> str:
    """Tag of a run that nobody named one for."""
    return _settings.dataflow


def program_name() -> str:
    """What the program is called: the script or module that Python runs, without its ending."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__").rpartition(".")[2]
    if "ipykernel" in sys.modules:
        return "notebook"
    return Path(sys.argv[0] if sys.argv else "").stem.lstrip("-") or "interactive"


def _is_main_process() -> bool:
    """Whether this is no process that `multiprocessing` started, which runs the top of the script once more."""
    process = sys.modules.get("multiprocessing.process")
    is_run_again = getattr(sys.modules.get("__mp_main__"), "__name__", "") == "__mp_main__"  # elsewhere it is __main__
    return not is_run_again and (process is None or process.parent_process() is None)


def is_first_of_ranks() -> bool:
    """Whether this is no further one of several processes that a launcher started, nor started again."""
    with suppress(Exception):  # what launchers and users tell may be anything
        launch = find_launch()
        return launch is None or not (launch.rank or launch.restart_count)
    return True


def _check_switches(frameworks: dict[str, Any]) -> None:
    known = [one.name for one in FRAMEWORKS]
    for name, value in frameworks.items():
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}=?" if close else f"there is {', '.join(known)}"
            raise UsageError(f"autolog knows no framework {name!r}; {hint}")
        if not isinstance(value, bool):
            raise UsageError(f"{name}={value!r} is a {type(value).__name__}; expected True or False")


def say_what_is_recorded(dataflow: str | None, frameworks: list[Framework]) -> None:
    """One line, where it is another than the last one said.

    Args:
        dataflow: tag of the runs that begin by themselves; `None` where each script gives its own name.
        frameworks: that are switched on.
    """
    there = [one for one in frameworks if _is_installed(one.package)]
    what = (
        "; ".join(dict.fromkeys(one.captures for one in there))
        or "nothing: no framework that it knows is installed or switched on"
    )
    store = os.environ.get("DNNPROV_STORE") or "./.dnnprov"
    named = "dataflows named for the scripts" if dataflow is None else f"dataflow {dataflow!r}"
    line = f"dnnprov: autolog records {what}, as {named} in {_without_secret(store)}"
    if line not in _said:
        _said.add(line)
        with suppress(Exception):  # stderr may be closed, or none
            print(line, file=sys.stderr)  # noqa: T201 - the one line that is promised


def _without_secret(store: str) -> str:
    """A store as it may be shown: of a URL, not who logs in and how."""
    return re.sub(r"//[^/@]*@", "//", store)


def _is_installed(package: str) -> bool:
    if sys.modules.get(package) is not None:
        return True
    try:
        return package not in sys.modules and importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _activate(framework: Framework) -> None:
    """Put the hooks of a framework in place, once; where that fails, say so and leave the program alone."""
    with _lock:
        if framework.name in _activated:
            return
        _activated.add(framework.name)
        try:
            module: Any = importlib.import_module(framework.activation)
            module.activate(_settings)  # which refuses what is too old
            _warn_of_untested(framework, sys.modules[framework.package])
        except Exception as error:  # noqa: BLE001 - P1: a program runs on without its provenance
            warn_user(f"{framework.name} is not recorded: {type(error).__name__}: {error}")


def is_tested(framework: Framework, version: str) -> bool:
    """Whether tests run with a version of a framework, or nothing is known of that."""
    numbers = _numbers(version)
    if framework.tested is None or not numbers:
        return True
    oldest, newest = (_numbers(one) for one in framework.tested)
    return oldest <= numbers[: len(newest)] <= newest


def _warn_of_untested(framework: Framework, module: ModuleType) -> None:
    """Say that nobody tried this version, once."""
    version = str(getattr(module, "__version__", "") or _installed_version(framework.package))
    if framework.tested is not None and not is_tested(framework, version):
        tested = " to ".join(framework.tested)
        warn_user(f"{framework.name} {version} is untested, {tested} are; it is recorded as far as it is alike")


def _installed_version(package: str) -> str:
    with suppress(Exception):  # no distribution of this name
        return importlib.metadata.version(package)
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:2])
