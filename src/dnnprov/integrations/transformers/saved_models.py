"""The files of a model in a folder that Transformers wrote, and the folder of a checkpoint."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = ("model*.safetensors", "pytorch_model*.bin", "adapter_model*.safetensors", "adapter_model*.bin")
"""What weights are called; beside them lie configurations, and in a checkpoint the state of the optimizer."""


def weight_files(folder: str | Path) -> list[Path]:
    """The files with weights in a folder; none, where there is no such folder."""
    place = Path(folder)
    if not place.is_dir():
        return []
    return sorted(file for pattern in WEIGHTS for file in place.glob(pattern) if file.is_file())


def checkpoint_folder(output_folder: str, step: int) -> Path | None:
    """The checkpoint of a step; in a search every trial has a folder of its own, of which the newest is meant."""
    name, place = f"checkpoint-{step}", Path(output_folder)
    found = [one for one in (place / name, *place.glob(f"*/{name}")) if one.is_dir()]
    return max(found, key=lambda one: one.stat().st_mtime_ns).absolute() if found else None
