"""A cache of the images of a data list, made or used again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from ...utils.distributed import gathered
from ...utils.errors import UserError
from ..records import Datalist, has_map
from .images import ImageFiller
from .index import CacheEntry, Entry, LabelEntry, check_ids
from .label_maps import LabelFiller
from .volume_cache import VolumeCache

logger = logging.getLogger(__name__)


def open_cache(
    datalist: Datalist,
    dataset_dir: str | Path,
    cache_dir: str | Path,
    spacing: Sequence[float] | None = None,
    num_workers: int = 2,
    progress: bool = True,
    channels: int = 1,
    labels: bool = False,
) -> VolumeCache:
    """Make or reuse the cache of all images of a data list, and of their label maps where they are wanted.

    ``cache_dir`` gets ``index.json`` and one array per image and spacing. An image is made again when its source files
    or ``spacing`` change; what was there before stays, so that runs with other images or another spacing can use the
    folder at the same time. An image that cannot be used is left out with the reason and never ends the run; what one
    process of several cannot use is left out on all.

    Args:
        datalist: the images.
        dataset_dir: folder that the images' paths are relative to.
        cache_dir: folder of the cache; several runs may share it.
        spacing: mm per axis to resample to; each image's own if ``None``.
        num_workers: threads that read images.
        progress: show a bar.
        channels: what an image has to have; those with another number are left out.
        labels: whether label maps are cached too; one that cannot be used is left out, and its image stays.

    Raises:
        OSError: the disk is too small; the sentence names what is needed.
        UserError: none of the images can be used, or an id cannot be a file name.
    """
    check_ids([record["id"] for record in datalist.records])
    folders = Path(dataset_dir).absolute(), Path(cache_dir).absolute()
    entries, skipped = _agreed(*ImageFiller(*folders, spacing, num_workers, progress).fill(datalist.records))
    _check_images(entries, skipped, channels, dataset_dir)
    maps: dict[str, LabelEntry] = {}
    if labels:
        mapped = [record for record in datalist.records if record["id"] in entries and has_map(record)]
        maps, _ = _agreed(*LabelFiller(*folders, entries, num_workers, progress).fill(mapped))
    return VolumeCache(folders[1], entries, skipped, maps)


def _agreed(entries: dict[str, Entry], skipped: dict[str, str]) -> tuple[dict[str, Entry], dict[str, str]]:
    """Return what no rank has left out, and why the rest is."""
    reasons = {name: reason for part in gathered(skipped) for name, reason in part.items()} | skipped
    return {name: entry for name, entry in entries.items() if name not in reasons}, reasons


def _check_images(
    entries: dict[str, CacheEntry], skipped: dict[str, str], channels: int, dataset_dir: str | Path
) -> None:
    """Leave out images with another number of channels, and raise if none is left."""
    for name in [name for name, entry in entries.items() if entry.channels != channels]:
        skipped[name] = f"has {entries.pop(name).channels} channels; images with {channels} are used"
        logger.warning(f"{name} {skipped[name]}; it is left out.")
    if not entries:
        reasons = "; ".join(f"{name} {reason}" for name, reason in list(skipped.items())[:3]) or "none listed"
        raise UserError(f"None of the {len(skipped)} images under {dataset_dir} can be used: {reasons}.")
