"""What a question of the paper is: its words, its parameters, and how its SQL comes about.

A question is data: `Question.state` makes one self-contained SQL statement with named parameters from the arguments
and from what the store's data sets are made of. `History.ask` runs it; `sql_text.with_literals` prints it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dnnprov.analysis.questions.sql_text import storable_text
from dnnprov.errors import UsageError
from dnnprov.model.values import MAX_INTEGER, MIN_INTEGER

if TYPE_CHECKING:
    from dnnprov.analysis.questions.recorded_schema import RecordedSchema

Arguments: TypeAlias = Mapping[str, Any]
"""Name of a parameter -> value, all present; `run` (a uid or `None`) and `dataflow` (a tag) among them."""


@dataclass(frozen=True)
class Parameter:
    """One thing that a question can be asked with.

    Attributes:
        name: of the argument, and of the command line's option.
        type: what it is.
        default: taken where it is left out.
        help: one line for people.
        minimum: smallest value that makes sense.
    """

    name: str
    type: type[int | float | str]
    default: int | float | str
    help: str
    minimum: float | None = None

    def checked(self, value: object) -> int | float | str:
        """The value in the parameter's type.

        Raises:
            UsageError: it is of another type, not finite, too small or too large.
        """
        expected = {int: "a whole number", float: "a finite number", str: "a text"}[self.type]
        if isinstance(value, int) and not MIN_INTEGER <= value <= MAX_INTEGER:
            raise UsageError(f"{self.name}={value!r} has more than 64 bits; expected {expected}")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if self.type is float and is_number:
            value = float(value)  # type: ignore[arg-type]
        if type(value) is not self.type or (isinstance(value, float) and not math.isfinite(value)):
            raise UsageError(f"{self.name}={value!r} is a {type(value).__name__}; expected {expected}")
        if self.minimum is not None and isinstance(value, int | float) and value < self.minimum:
            raise UsageError(f"{self.name}={value!r} is too small; expected at least {self.minimum:g}")
        return storable_text(value) if isinstance(value, str) else value


@dataclass(frozen=True)
class Statement:
    """SQL that answers a question.

    Attributes:
        sql: one statement with named parameters, `:dataflow`.
        parameters: their values.
        non_finite: where the answer's last column is `non_finite`: column of the data set -> column of the answer
            that its NaN or infinity belongs in.
        optional: columns left out of the answer where no row has a value.
    """

    sql: str
    parameters: Mapping[str, Any]
    non_finite: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Question:
    """One of the questions of Table 1.

    Attributes:
        id: `Q1` to `Q8`.
        text: the paper's words.
        question_class: C1 to C4 of Table 2: attributes (1, 2) or attributes and derivation paths (3, 4), of one graph
            (1, 3) or of many (2, 4).
        about: what it asks about, one `run` (the latest where none is named) or a `ranking` or `selection` of the
            dataflow's runs. A ranking leaves out runs without a comparable accuracy and says which.
        columns: of the answer; Q5 appends the hyperparameters.
        when_empty: note for an answer without rows, where the ranking gives none, with the parameters' names in braces.
        state: makes the SQL.
        parameters: beside the dataflow and the run.
    """

    id: str
    text: str
    question_class: Literal["C1", "C2", "C3", "C4"]
    about: Literal["run", "ranking", "selection"]
    columns: tuple[str, ...]
    state: Callable[[RecordedSchema, Arguments], Statement]
    when_empty: str = ""
    parameters: tuple[Parameter, ...] = ()

    @property
    def takes_run(self) -> bool:
        """Whether it can be asked of a run that is named."""
        return self.about == "run"

    def arguments(self, given: Mapping[str, object]) -> dict[str, Any]:
        """The given parameters checked, the others at their defaults.

        Raises:
            UsageError: the question has no such parameter, or a value does not fit.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                has = "has the parameters " + ", ".join(known) if known else "has no parameters"
                raise UsageError(f"{self.id} was asked with {name}={given[name]!r}; it {has}")
        return {
            name: parameter.default if given.get(name) is None else parameter.checked(given[name])
            for name, parameter in known.items()
        }
