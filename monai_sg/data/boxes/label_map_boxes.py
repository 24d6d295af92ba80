"""Labelled boxes from segmentations: around what was segmented, and elsewhere in the body."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...utils.errors import UserError
from ...utils.progress import Bar
from ...utils.seeds import seed_for
from ..cache.anatomy import COARSE_MM, body_mask, shows_ct
from ..cache.index import CacheEntry
from ..cache.label_maps import labels_on_image
from ..cache.volume_cache import VolumeCache
from ..readers.formats import UnusableImageError, first_line
from ..records import Datalist
from .box import Box, Extent
from .geometry import crop_shapes, fit_boxes, grid_spacing
from .labelled_boxes import LabelledBoxes

logger = logging.getLogger(__name__)

CLASSES = ("background", "foreground")


def boxes_from_labels(
    datalist: Datalist,
    dataset_dir: str | Path,
    cache: VolumeCache,
    crop_size: Sequence[int],
    per_image: int = 4,
    spacing: Sequence[float] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> LabelledBoxes:
    """Draw boxes around what is segmented (label 1, centred on voxels above 0) and elsewhere in the body (label 0).

    The latter have no foreground in their central part, which has half their edges. Boxes are shifted into the image.
    The training patients of the data list train a probe, the others measure it. An image whose label map cannot be used
    is left out with the reason in the log.

    Args:
        datalist: its records have a ``label``, the path of a label map.
        dataset_dir: folder that the paths are relative to.
        cache: the images.
        crop_size: voxels of a box on the grid of ``spacing``.
        per_image: boxes of each kind per image, fewer where there are not so many places.
        spacing: mm per axis; the median of the cached images if ``None``.
        seed: of the places, together with the image's id.
        progress: show a bar.
    """
    grid = grid_spacing(cache.spacings) if spacing is None else np.asarray(spacing, dtype=np.float64)
    readable, training = set(cache.ids), {record["id"] for record in datalist.training}
    records = [record for record in datalist.records if record["id"] in readable]
    boxes: dict[bool, list[Box]] = {True: [], False: []}
    for record in Bar(records, "Reading label maps", disable=not progress):
        name = record["id"]
        foreground = _foreground(Path(dataset_dir) / record["label"], cache.entry(name))
        if foreground is not None:
            edges = crop_shapes(crop_size, grid, [cache.entry(name).spacing])[0]
            generator = np.random.default_rng(seed_for(seed, "boxes", name))
            boxes[name in training] += _of_one(cache, name, foreground, edges, per_image, generator)
    _check_boxes(boxes.values(), f"{len(records)} label maps in {dataset_dir}", crop_size, grid)
    return LabelledBoxes(CLASSES, tuple(boxes[True]), tuple(boxes[False]), tuple(crop_size))


def _check_boxes(
    splits: Collection[Sequence[Box]], maps: str, crop_size: Sequence[int], grid: NDArray[np.float64]
) -> None:
    """Raise ``ValueError`` if there is no box, or if those of a split are of one class, whatever else is labelled."""
    if not any(splits):
        raise UserError(f"None of the {maps} could be used; the log says why.")
    for items in splits:
        if items and all(item["label"] for item in items):
            edges = " x ".join(f"{size * distance:.4g}" for size, distance in zip(crop_size, grid, strict=True))
            number = len({item["id"] for item in items})
            raise UserError(
                f"No background box of {list(crop_size)} voxels ({edges} mm) fits into the {number} labelled images: "
                "wherever it lies in the body, foreground is in its middle. Give a smaller crop_size."
            )


def _of_one(
    cache: VolumeCache,
    name: str,
    foreground: NDArray[np.bool_],
    edges: NDArray[np.int64],
    count: int,
    generator: np.random.Generator,
) -> list[Box]:
    """Return at most ``count`` background boxes and as many foreground boxes of an image, of shape ``edges``."""
    elsewhere = (box for box in _boxes(_body(cache, name), edges, generator) if not _is_hit(foreground, box))
    around = _boxes(foreground, edges, generator)
    return [
        Box(id=name, label=label, box=box)
        for label, places in enumerate((elsewhere, around))
        for box in islice(places, count)
    ]


def _foreground(path: Path, entry: CacheEntry) -> NDArray[np.bool_] | None:
    """Return where a label map is above 0 on the grid of its image; ``None``, with a warning, if nowhere."""
    try:
        mask = labels_on_image(path, entry) > 0
        reason = "" if mask.any() else f"The label map {path} has no foreground that lies on its image"
    except UnusableImageError as error:
        reason = str(error)
    except Exception as error:  # readers raise many kinds; the image is left out and the reason logged
        reason = f"The label map {path} cannot be used ({first_line(error)})"
    if reason:
        logger.warning(f"{reason}; {entry.id} is left out.")
        return None
    return mask


def _body(cache: VolumeCache, name: str) -> NDArray[np.bool_]:
    """Return voxels of the body, about 4 mm apart: of the filled body of a CT, else of the body box."""
    entry, channel = cache.entry(name), cache.channel(name)
    steps = [max(1, round(COARSE_MM / distance)) for distance in entry.spacing]
    lattice = tuple(slice(None, None, step) for step in steps)
    coarse = channel.stored[lattice] * channel.scale + channel.offset
    mask = np.zeros(entry.shape, dtype=bool)
    if shows_ct(coarse):
        mask[lattice] = body_mask(coarse)
    else:
        mask[tuple(slice(start, stop, step) for (start, stop), step in zip(entry.body_box, steps, strict=True))] = True
    return mask


def _boxes(mask: NDArray[np.bool_], edges: NDArray[np.int64], generator: np.random.Generator) -> Iterator[Extent]:
    """Yield boxes around the voxels of a mask in random order, shifted into the image."""
    for voxel in generator.permutation(np.flatnonzero(mask)):
        centre = np.asarray(np.unravel_index(voxel, mask.shape)) + 0.5
        yield fit_boxes(centre, edges, mask.shape)[0].tolist()


def _is_hit(foreground: NDArray[np.bool_], box: Extent) -> bool:
    """Return whether there is foreground in the central part of a box, which has half its edges."""
    quarters = [(stop - start) // 4 for start, stop in box]
    central = tuple(
        slice(max(start + quarter, 0), max(stop - quarter, 0))
        for (start, stop), quarter in zip(box, quarters, strict=True)
    )
    return bool(foreground[central].any())
