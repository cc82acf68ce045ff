"""`import dnnprov` over bare Python, in fresh processes that take turns."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.measurement import Measurement, expect
from benchmarks.timing import in_turns, median, processor_of, seconds_of

if TYPE_CHECKING:
    from benchmarks.measurement import Size

NUM_ROUNDS = {"quick": 2, "full": 41, "large": 41}

PROGRAMS = {
    "bare": "pass",
    "import": "import dnnprov",
    "recording": "import dnnprov; dnnprov.start_run",
    "asking": "import dnnprov; dnnprov.open",
}
HEAVY = ("keras", "numpy", "pandas", "sqlite3", "torch", "jax", "prov", "rich", "click", "asyncio")


def measure(size: Size) -> list[Measurement]:
    """Milliseconds between the medians."""
    variants = {name: lambda program=program: run_program(program) for name, program in PROGRAMS.items()}
    for variant in variants.values():
        variant()  # byte code is there from now on
    found = in_turns(variants, NUM_ROUNDS[size])
    cost = {
        name: 1000 * median([one - bare for one, bare in zip(found[name], found["bare"], strict=True)])
        for name in PROGRAMS
    }
    spent = in_turns({name: lambda one=one: processor_of(one) for name, one in variants.items()}, NUM_ROUNDS[size] // 2)

    def processor(name: str) -> float:
        return 1000 * (median(spent[name]) - median(spent["bare"]))

    return [
        Measurement(
            "import dnnprov over bare Python",
            cost["import"],
            "ms",
            reach=30,
            details={
                "bare Python": f"{1000 * median(found['bare']):.1f} ms",
                "with what start_run needs": f"{cost['recording']:.1f} ms",
                "with what dnnprov.open needs": f"{cost['asking']:.1f} ms",
                "processor time of the import": f"{processor('import'):.1f} ms",
                "processor time with what start_run needs": f"{processor('recording'):.1f} ms",
                "processor time with what dnnprov.open needs": f"{processor('asking'):.1f} ms",
                "loaded by the import of dnnprov": loaded(),
            },
        )
    ]


def run_program(program: str) -> float:
    """Seconds from start to end of a process."""
    return seconds_of(lambda: subprocess.run([sys.executable, "-c", program], check=True))


def loaded() -> str:
    """How many modules the import brings, none of them heavy."""
    program = "import sys; before = set(sys.modules); import dnnprov; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    modules = done.stdout.split()
    expect("heavy modules", [name for name in modules if name in HEAVY], [])
    return f"{len(modules)} modules"
