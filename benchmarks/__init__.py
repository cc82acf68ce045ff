"""What recording and asking cost, measured: `make bench`, or `python -m benchmarks`.

One module a part of the product; each has a function `measure` that takes a size and returns what it measured. Every
benchmark checks that what it timed also came out right: a count that is wrong ends it.

- A comparison is made inside one process or of processes that take turns, so that noise of the machine meets all alike.
- Figures are medians over several rounds; ratios are taken round by round.
- Nothing is estimated; where a figure is computed of others, its details say how.
"""

import os

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # users' processes do not compile us at every start; children neither
os.environ.setdefault("KERAS_BACKEND", "jax")  # as the demo has it; read once, when Keras is imported
