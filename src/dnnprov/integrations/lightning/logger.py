"""A Logger of Lightning's that records provenance: what is logged to it, and all that the callback sees."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dnnprov.integrations.lightning.bases import package
from dnnprov.integrations.lightning.callback import Callback
from dnnprov.integrations.trainer_values import plain_parameters

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from dnnprov.capture.run import Run
    from dnnprov.capture.run_task import RunTask
    from dnnprov.model.events import RunStatus

_base: Any = package.loggers.Logger
_rank_zero_only: Any = package.utilities.rank_zero_only


class Logger(_base):  # type: ignore[misc]
    """Records what is logged, as series, and what a Trainer with it does, as `Callback` does.

    It puts a callback of ours into a Trainer that has none. The values that Lightning hands to loggers, every
    `log_every_n_steps` batches, become series of the run.

    Lightning's conventions hold: of several ranks, only the first logs; `experiment` is the run there, and a dummy on
    the others; checkpoints go to `<root>/<name>/<version>`, where `name` is the dataflow and `version` the name of the
    run.

    Args:
        dataflow: its tag, what you call the model or project; the name of the script where it is left out.
        params: hyperparameters that you state; they win over what Lightning knows.
        name: of a run of our own; `<dataflow>-<n>` where it is left out.
        tags: of a run of our own.
        store: of a run of our own; `DNNPROV_STORE`, else `./.dnnprov`, where it is left out.
        run: to record into.
        after: the task or tasks whose results the training uses: Filters.
        save_dir: where Lightning puts checkpoints; its `default_root_dir` where it is left out.

    Attributes:
        callback: that sees what the Trainer does.

    Raises:
        UsageError: an argument has a type that cannot be meant; nothing else is ever raised.

    Example:
        ```python
        from lightning.pytorch import Trainer

        trainer = Trainer(max_epochs=10, logger=dnnprov.lightning.Logger("alexnet"))
        ```
    """

    def __init__(
        self,
        dataflow: str | None = None,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | Iterable[str] | None = None,
        store: str | os.PathLike[str] | None = None,
        run: Run | None = None,
        after: RunTask | Iterable[RunTask] | None = None,
        save_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self.callback = Callback(dataflow, params, name, tags, store, run, after)
        self._save_dir = None if save_dir is None else str(save_dir)

    @property
    def run(self) -> Run | None:
        """The run recorded into; `None` before it began."""
        return self.callback.run

    @property
    def name(self) -> str | None:
        """The tag of the dataflow."""
        return self.callback.recording.steps.choice.dataflow

    @property
    def version(self) -> str | None:
        """The name of the run, which this begins."""
        run = self._begun()
        return None if run is None else run.name

    @property
    def save_dir(self) -> str | None:
        """Where Lightning puts checkpoints; `None` for its own place."""
        return self._save_dir

    @property
    def experiment(self) -> Any:
        """The run, which this begins; on other ranks than the first an object that takes any call."""
        if _rank_zero_only.rank > 0:
            return package.loggers.logger.DummyExperiment()
        return self._begun()

    @_rank_zero_only  # type: ignore[untyped-decorator]
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record values as series, with the epoch that trains, counted from 1; without a Trainer as it is given."""
        run = self._begun()
        if run is not None:
            with run.recorder.guarded("lightning log_metrics"):
                values = dict(metrics)
                epoch = values.pop("epoch", None)
                trained = self.callback.recording.steps.last_epoch
                run.log(**{**values, "step": step, "epoch": epoch if trained is None else trained})

    @_rank_zero_only  # type: ignore[untyped-decorator]
    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        """Record hyperparameters; what is known already stays."""
        run = self._begun()
        if run is not None:
            with run.recorder.guarded("lightning log_hyperparams"):
                run.fill_params(plain_parameters(params))

    def log_graph(self, model: Any, input_array: Any = None) -> None:  # noqa: ARG002
        """Put our callback into the Trainer of a module: Lightning calls this right before it trains or tests."""
        with self.callback.recording.steps.guarded("lightning log_graph"), suppress(RuntimeError):  # it has no Trainer
            trainer = model.trainer
            if any(isinstance(one, Callback) and not one.is_silent for one in trainer.callbacks):
                return
            trainer.callbacks.insert(0, self.callback)
            self.callback.setup(trainer, model, str(trainer.state.fn))

    def finalize(self, status: str) -> None:
        """A `fit` or a `test` is through; the run goes on, for a test may come after it."""

    def finish(self, status: RunStatus | None = None, reason: str | None = None) -> None:
        """Finish the run, where it is the logger's own; arguments as for `Callback.finish`."""
        self.callback.finish(status, reason)

    def _begun(self) -> Run | None:
        steps = self.callback.recording.steps
        with steps.guarded("lightning run"):
            self.callback.tie()
            steps.choice.at_testing()
        return steps.run
