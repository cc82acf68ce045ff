"""Who or what changed a hyperparameter, in the words that an adaptation is recorded with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dnnprov.capture.adaptation import MANUAL

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Technique:
    """Who or what changed a value of the optimizer.

    Attributes:
        name: class of the callback or schedule; `manual` for a change by hand.
        parameters: of the technique, for iAdaptation: `{"patience": 3, "factor": 0.5}`.
        agent: what kind of agent: `callback`, `schedule`, `person`.
        reason: why, in words.
        triggered_by: metric and value that led to it: `val_loss=0.31`.
    """

    name: str = MANUAL
    parameters: Mapping[str, Any] = field(default_factory=dict)
    agent: str = "person"
    reason: str | None = None
    triggered_by: str | None = None


BY_HAND = Technique()
