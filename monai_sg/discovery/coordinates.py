"""The choice of coordinates: places inside the body, not constant, that do not overlap much."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.cache import VolumeCache
from .box_statistics import box_statistics
from .frames import Frames

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CoordinateRules:
    """What a coordinate must fulfil in its reference image.

    Attributes:
        max_iou: largest overlap (intersection over union) of the boxes of two classes.
        min_body_share: smallest share of the box inside the body.
        min_deviation: smallest standard deviation of the box, as a share of the intensity range.
        intensity_range: physical values of that range; ``None`` is the range of the reference.
        candidates: places drawn per reference.
    """

    max_iou: float = 0.5
    min_body_share: float = 0.5
    min_deviation: float = 0.01
    intensity_range: tuple[float, float] | None = None
    candidates: int = 4096


def choose_anchors(
    cache: VolumeCache,
    frames: Frames,
    references: Sequence[int],
    num_classes: int,
    generator: torch.Generator,
    rules: CoordinateRules,
    per_reference: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose up to ``num_classes`` coordinates, split evenly over ``references`` (rows of ``frames``).

    The references take turns; each accepts its next candidate whose box overlaps every accepted one by at most
    ``rules.max_iou``, whichever of the two references measures. At most ``per_reference`` come from one.

    Returns:
        the reference's row (C) and the anchor (C, d) of each class, sorted by reference.

    Raises:
        ValueError: if fewer than two coordinates fit.
    """
    pools = [_candidates(cache, frames, row, generator, rules) for row in references]
    suitable = sum(len(pool) for pool in pools)
    units = [np.asarray(frames.lengths[row] * frames.spacings[row]) for row in references]
    counts = [0] * len(references)
    chosen: list[tuple[int, NDArray[np.float64]]] = []
    limit = per_reference or num_classes
    while len(chosen) < num_classes:
        able = [turn for turn, pool in enumerate(pools) if len(pool) and counts[turn] < limit]
        if not able:
            break
        turn = min(able, key=lambda index: counts[index])
        anchor = pools[turn][0]
        chosen.append((turn, anchor))
        counts[turn] += 1
        for other, pool in enumerate(pools):
            iou = overlap(anchor, pool, np.minimum(units[other], units[turn]), frames.crop_mm)
            pools[other] = pool[iou <= rules.max_iou]
    _report(frames, references, num_classes, len(chosen), suitable, limit, rules)
    chosen.sort(key=lambda item: item[0])
    return np.asarray([references[turn] for turn, _ in chosen]), np.stack([anchor for _, anchor in chosen])


def overlap(
    anchor: NDArray[np.float64], anchors: NDArray[np.float64], lengths: NDArray[np.float64], crop: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the intersection over union of equal boxes at one anchor (d) and at others (M, d).

    ``lengths`` (d) is what one unit of an anchor measures and ``crop`` (d) the box's edges, in the same unit.
    """
    shared = np.clip(crop - np.abs(anchors - anchor) * lengths, 0, None).prod(axis=-1)
    return np.asarray(shared / (2 * crop.prod() - shared))


def _candidates(
    cache: VolumeCache, frames: Frames, row: int, generator: torch.Generator, rules: CoordinateRules
) -> NDArray[np.float64]:
    """Draw anchors uniformly where the crop lies inside one image, and keep those (M, d) that fulfil the rules.

    They are rounded before they are used, so that a table's anchors give the table's boxes again.
    """
    low, high = frames.anchor_range(row)
    uniform = torch.rand((rules.candidates, len(low)), generator=generator, dtype=torch.float64).numpy()
    anchors = np.round(low + uniform * (high - low), 0 if frames.name == "voxel" else 6)
    boxes, _ = frames.boxes(anchors, [row])
    share, deviation = box_statistics(cache, frames.ids[row], rules.intensity_range).measure(boxes[:, 0])
    return np.asarray(anchors[(share >= rules.min_body_share) & (deviation > rules.min_deviation)])


def _report(
    frames: Frames, references: Sequence[int], asked: int, fit: int, suitable: int, limit: int, rules: CoordinateRules
) -> None:
    """Log why fewer coordinates were found than asked; raise if they are too few to tell apart."""
    frame_mm = _millimetres(np.median([frames.extent_mm(row) for row in references], axis=0))
    place = "an image" if frames.name in ("voxel", "fov") else f"a {frames.name} box"
    if fit < min(2, asked):
        tried = rules.candidates * len(references)
        raise ValueError(
            f"There is no room for {asked} classes: {fit} of them fit. A crop covers {_millimetres(frames.crop_mm)} in "
            f"{place} of {frame_mm}, {suitable} of {tried} places were inside the body and not constant, and two boxes "
            f"may overlap at most IoU {rules.max_iou:g}. Use a smaller crop_size or a finer spacing."
        )
    if fit < asked and fit == limit * len(references):
        logger.info("%d classes asked, %d made: %d for each of %d references.", asked, fit, limit, len(references))
    elif fit < asked:
        logger.warning(
            "%d classes asked, %d fit: a crop covers %s, boxes may overlap at most IoU %g in %s of %s.",
            *(asked, fit, _millimetres(frames.crop_mm), rules.max_iou, place, frame_mm),
        )


def _millimetres(lengths: NDArray[np.float64]) -> str:
    """Return ``64 x 64 x 32 mm``."""
    return " x ".join(f"{length:.0f}" for length in lengths) + " mm"
