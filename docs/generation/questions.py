"""The reference of each question, from the object that asks it, with an answer out of the example store."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from dnnprov.analysis.questions import QUESTIONS
from generation.examples import text_of

if TYPE_CHECKING:
    from dnnprov import History
    from dnnprov.analysis.questions import Question

EXAMPLES: dict[str, dict[str, object]] = {"Q1": {"epoch": 3, "metric": "val_loss"}, "Q5": {"top": 2}}
"""What a question is asked with for its example, beside the dataflow."""

RUN = ("run", "the latest", "the run that is meant: its uid, a prefix of it, its name, or `latest`")


def question_parts(history: History) -> dict[str, str]:
    """Id of a question -> its Markdown."""
    return {question.id: _part(question, history) for question in QUESTIONS.values()}


def _part(question: Question, history: History) -> str:
    asked = EXAMPLES.get(question.id, {})
    answer = history.ask(question.id, dataflow="alexnet", **asked)
    columns = ", ".join(f"`{name}`" for name in question.columns)
    further = (
        ", then the hyperparameters that any listed run has" if len(answer.columns) > len(question.columns) else ""
    )
    options = "".join(f" --{name} {shlex.quote(str(value))}" for name, value in asked.items())
    return f"""
> {question.text}

Class {question.question_class}. Columns: {columns}{further}.{_parameters(question)}

```text
$ dnnprov ask {question.id} --dataflow alexnet{options}
{text_of(answer.shown_columns, answer.shown_cells())}
```

<details>
<summary>Its SQL</summary>

```sql
{answer.sql.strip()}
```

</details>
"""


def _parameters(question: Question) -> str:
    rows = [RUN] if question.takes_run else []
    rows += [(one.name, str(one.default), one.help) for one in question.parameters]
    if not rows:
        return " No parameters."
    lines = [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in rows]
    return "\n\n" + "\n".join(["| parameter | default | meaning |", "|---|---|---|", *lines])
