"""Before data is read: can a run compute where it is told to, and write where it is told to?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ..utils.errors import UserError
from ..utils.files import read_json

ARGUMENTS = Path("train", "arguments.json")


def check_places(
    device: torch.device | str, dataset_dir: str, output_dir: str, cache_dir: str | None = None, **more: str
) -> None:
    """Refuse a device that is not there, a folder that cannot be written, and a cache made twice by an oversight.

    Args:
        device: where to compute.
        dataset_dir: folder with the images.
        output_dir: folder that is written.
        cache_dir: folder of the cache, if there is one.
        more: further folders, by their ids.

    Raises:
        UserError: one of them does not do; the sentence says what to write.
    """
    _check_device(device)
    folders = {"dataset_dir": dataset_dir, "output_dir": output_dir, "cache_dir": cache_dir, **more}
    for name, folder in folders.items():
        if folder is not None and str(folder).startswith("~"):
            raise UserError(f"{name} = {folder!r} was not expanded; write {str(Path(folder).expanduser())!r}.")
    _check_writable(Path(output_dir))
    if cache_dir is not None:
        _check_cache(Path(cache_dir), Path(output_dir) / ARGUMENTS)


def _check_device(device: torch.device | str) -> None:
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UserError(f"device = {device!r} is unknown; write cuda, cuda:1 or cpu.") from error
    if chosen.type != "cuda":
        return
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        raise UserError(f"device = {str(device)!r}, but PyTorch finds no GPU here; write cpu.")
    if chosen.index is not None and chosen.index >= count:
        raise UserError(f"device = {str(device)!r}, but there are {count} GPUs, the last of them cuda:{count - 1}.")


def _check_writable(folder: Path) -> None:
    """Refuse a folder of results that cannot be made or written, without making it."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    try:
        with TemporaryDirectory(dir=there):
            pass
    except OSError as error:
        raise UserError(
            f"output_dir = {str(folder)!r} cannot be written, because {there} says {error.strerror!r}; take another."
        ) from error


def _check_cache(cache_dir: Path, arguments: Path) -> None:
    """Refuse to fill another cache for a run that has one."""
    saved: Mapping[str, Any] = read_json(arguments) if arguments.is_file() else {}
    used = saved.get("cache_dir")
    if used is not None and not cache_dir.exists() and Path(used).is_dir() and Path(used) != cache_dir.absolute():
        raise UserError(
            f"The images of {arguments.parent.parent} are cached in {used}, and cache_dir = {str(cache_dir)!r} is "
            f"absent: give --cache_dir {used}, or make that folder to fill another cache."
        )
