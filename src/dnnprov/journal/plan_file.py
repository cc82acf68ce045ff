"""The plan of a dataflow as a file in the store folder: ingest writes it, the recording side reads it.

It is as fresh as the last ingest, and a cache like the database: where it is gone, the next change brings it back.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

import msgspec

from dnnprov.model.events import TransformationDeclared  # noqa: TC001 - msgspec reads the annotation

if TYPE_CHECKING:
    from dnnprov.journal.folder import StoreFolder


class Plan(msgspec.Struct, kw_only=True):
    """What the database knows of a dataflow.

    Attributes:
        dataflow: its tag.
        version: of the plan, from 1.
        transformations: with their data sets, and of those the declared attributes in their order.
    """

    dataflow: str
    version: int
    transformations: list[TransformationDeclared]


_decoder: msgspec.json.Decoder[Plan] = msgspec.json.Decoder(Plan)


def write_plan(folder: StoreFolder, plan: Plan) -> None:
    """Put a plan in the place of the one before, whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    path = folder.plan(plan.dataflow)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{secrets.token_hex(8)}.new")
    try:
        new.write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n")
        new.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise


def read_plan(folder: StoreFolder, dataflow: str) -> Plan | None:
    """The plan of a dataflow, `None` where none is known yet.

    Raises:
        OSError: there is one, but it cannot be read.
        ValueError: it is no plan of this dataflow.
    """
    path = folder.plan(dataflow)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        plan = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no plan: {error}") from None
    if plan.dataflow != dataflow:
        raise ValueError(f"{path} is the plan of {plan.dataflow!r}, not of {dataflow!r}")
    return plan
