"""Records as fast as it can until it is killed; tells each call that has returned through a pipe of its own.

Usage: python killed_recorder.py STORE PIPE_DESCRIPTOR NAME [PAUSE_SECONDS]
"""

from __future__ import annotations

import os
import sys
import time

import dnnprov


def main(store: str, pipe: int, name: str, pause: float = 0.0) -> None:
    run = dnnprov.start_run("killed", store=store, name=name)
    training = run.task("Training")
    for number in range(10_000_000):
        training.log(epoch=number, loss=1.0 / (number + 1), note="x" * (number % 97))
        run.log(step=number, loss=float(number))
        os.write(pipe, b"%d\n" % number)
        if pause:
            time.sleep(pause)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], *map(float, sys.argv[4:]))
