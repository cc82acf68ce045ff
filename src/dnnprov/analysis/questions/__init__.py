"""The paper's eight questions (Table 1), one module each, and the register of them."""

from __future__ import annotations

from dnnprov.analysis.questions.base import Parameter, Question, Statement
from dnnprov.analysis.questions.q1 import Q1
from dnnprov.analysis.questions.q2 import Q2
from dnnprov.analysis.questions.q3 import Q3
from dnnprov.analysis.questions.q4 import Q4
from dnnprov.analysis.questions.q5 import Q5
from dnnprov.analysis.questions.q6 import Q6
from dnnprov.analysis.questions.q7 import Q7
from dnnprov.analysis.questions.q8 import Q8
from dnnprov.errors import UsageError

__all__ = ["QUESTIONS", "Parameter", "Question", "Statement", "question"]

QUESTIONS: dict[str, Question] = {question.id: question for question in (Q1, Q2, Q3, Q4, Q5, Q6, Q7, Q8)}
"""By id, in the paper's order."""


def question(id_: str) -> Question:
    """The question with an id, in any letter case.

    Raises:
        UsageError: there is none.
    """
    found = QUESTIONS.get(str(id_).strip().upper())
    if found is None:
        raise UsageError(f"no question {id_!r}; expected one of {', '.join(QUESTIONS)}")
    return found
