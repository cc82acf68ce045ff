"""Which folders of event files are trainings.

Each is one, but for those that a training wrote into its own folder to keep its hyperparameters and last results, as
`SummaryWriter.add_hparams` of PyTorch does: they belong to the folder above.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dnnprov.errors import ImportSourceError, UsageError
from dnnprov.importers.courses import epoch_tags
from dnnprov.importers.tensorboard.survey import Survey, survey

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnnprov.importers.courses import Steps

_EVENTS = "tfevents"


@dataclass
class LogFolder:
    """A training.

    Attributes:
        path: of its folder.
        files: that it wrote there.
        survey: of them.
        sessions: folders below it that only carry hyperparameters and last results.
    """

    path: Path
    files: tuple[Path, ...]
    survey: Survey
    sessions: list[LogFolder] = field(default_factory=list)

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Its files and those of its sessions."""
        return (*self.files, *(path for session in self.sessions for path in session.files))

    @property
    def name(self) -> str:
        """The name of the folder itself, wherever it is."""
        return self.path.absolute().name

    def is_session(self) -> bool:
        """Whether it only carries hyperparameters and last results."""
        return self.survey.is_session and all(course.count == 1 for course in self.survey.courses)

    def epoch_tags(self, steps: Steps) -> frozenset[str]:
        """The tags whose steps are epochs."""
        return epoch_tags(self.survey.series, steps)


def find_log_folders(root: Path, place: Path, read: Callable[[int], None]) -> list[LogFolder]:
    """The trainings below a folder, in the order of their paths.

    Args:
        root: the folder; it may be one itself.
        place: a folder to keep numbers in meanwhile.
        read: called with the bytes read since it was called before.

    Raises:
        ImportSourceError: there is none, or one of its files is damaged.
    """
    found = {
        path: LogFolder(path, files, survey(files, place / f"scalars-{number}", read))
        for number, (path, files) in enumerate(event_files(root).items())
    }
    runs = []
    for path, folder in found.items():
        above = found.get(path.parent)
        if above is not None and folder.is_session():
            above.sessions.append(folder)
        else:
            runs.append(folder)
    return runs


def event_files(root: Path) -> dict[Path, tuple[Path, ...]]:
    """Folder -> its event files in the order of their names, which begin with the time.

    Raises:
        ImportSourceError: there is no folder, or no such file in it.
    """
    if not root.is_dir():
        raise ImportSourceError(root, "it is no folder; name the folder that TensorBoard is given with --logdir")
    found = {}
    for folder, inner, names in os.walk(root):
        inner.sort()
        files = sorted(name for name in names if _EVENTS in name)
        if files:
            found[Path(folder)] = tuple(Path(folder, name) for name in files)
    if not found:
        raise ImportSourceError(
            root, f"no file below it has {_EVENTS!r} in its name; expected a --logdir of TensorBoard"
        )
    return found


def name_pattern(text: str) -> re.Pattern[str]:
    """The pattern of names that `{name}` and `{}` stand in.

    Args:
        text: `{name}` is a value without `_`, `{}` anything.

    Raises:
        UsageError: it is none.

    Example:
        >>> found = name_pattern("{}_{optimizer}_lr_{learning_rate}").fullmatch("Oct30_vgg16_bn_adam_lr_1e-05")
        >>> found.groupdict()
        {'optimizer': 'adam', 'learning_rate': '1e-05'}
    """
    parts = re.split(r"\{(\w*)\}", text)
    names = [name for name in parts[1::2] if name]
    if not names or len(set(names)) != len(names) or not all(name.isidentifier() for name in names):
        raise UsageError(
            f"--pattern {text!r} has no names, or one twice; expected such as '{{}}_{{optimizer}}_lr_{{learning_rate}}'"
        )
    words = [re.escape(part) for part in parts[::2]]
    groups = [f"(?P<{name}>[^_]+)" if name else ".*" for name in parts[1::2]]
    return re.compile("".join(word + group for word, group in zip(words, [*groups, ""], strict=True)), re.DOTALL)
