"""What a process knows of those that were launched with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Launch:
    """What a process was told by its launcher.

    Attributes:
        launcher: its name, for people.
        rank: of the process among all, from 0; `None` where it is not to be known yet.
        world_size: how many they are, where known.
        local_rank: its number on its machine, where known.
        node: number of its machine, where known.
        restart_count: how often the launcher started all anew.
        job: what all processes of this launch know, and those of no other; `None` where there is no such thing.
        goes_on: whether a later process of the same rank and job goes on with the run; else it begins the next, unless
            the launcher restarted more often than any process of this rank knew.
    """

    launcher: str
    rank: int | None
    world_size: int | None = None
    local_rank: int | None = None
    node: int | None = None
    restart_count: int = 0
    job: tuple[str, ...] | None = None
    goes_on: bool = True
