"""Found by each interpreter that `dnnprov run` starts: lets it record, then imports what it would have found."""

import os
import sys


def _prepare() -> None:
    """Never in the way of the program: where this fails it runs, unrecorded, which is said."""
    try:
        from dnnprov.integrations.launched_process import prepare  # noqa: PLC0415 - it may be missing in another Python

        prepare()
    except ImportError:
        return
    except Exception as error:  # noqa: BLE001 - whatever it is
        print(f"dnnprov: nothing is recorded: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201


def _go_on() -> None:
    """Import the `sitecustomize` that stands behind this one, if there is any; `sys.path` is what it is without us."""
    here = os.path.realpath(os.path.dirname(__file__))  # noqa: PTH120 - each interpreter does this, and pathlib is slow
    own = sys.modules.pop("sitecustomize", None)
    sys.path[:] = [one for one in sys.path if os.path.realpath(one) != here]
    try:
        import sitecustomize  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
        if own is not None:
            sys.modules["sitecustomize"] = own


_prepare()
_go_on()
