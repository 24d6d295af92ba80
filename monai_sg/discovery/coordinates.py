"""The choice of coordinates: places inside the body, not constant, that do not overlap much."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.cache.volume_cache import VolumeCache
from ..utils.errors import UserError
from .box_statistics import box_statistics
from .frames import Frames
from .released_rule import corner_range, tissue_share
from .rules import CoordinateRules

logger = logging.getLogger(__name__)


def choose_anchors(
    cache: VolumeCache,
    frames: Frames,
    references: Sequence[int],
    num_classes: int,
    generator: torch.Generator,
    rules: CoordinateRules,
    per_reference: int | None = None,
    spare: Sequence[int] = (),
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose up to ``num_classes`` coordinates, split evenly over ``references`` (rows of ``frames``).

    The references take turns; each accepts its next candidate that lies apart from every accepted one, whichever of
    the two references measures. At most ``per_reference`` come from one. A reference in which nothing fits is replaced
    by the next one of ``spare``, if there is one.

    Returns:
        the reference's row (C) and the anchor (C, d) of each class, sorted by reference.

    Raises:
        ValueError: if fewer than two coordinates fit.
    """
    search = _Search(cache, frames, generator, rules)
    waiting, limit = list(spare), per_reference or num_classes
    turns = [*references]
    found: list[list[NDArray[np.float64]]] = [[] for _ in turns]
    open_turns = set(range(len(turns)))
    while open_turns and sum(map(len, found)) < num_classes:
        turn = min(open_turns, key=lambda index: (len(found[index]), index))
        anchor = search.next(turns[turn])
        if anchor is not None:
            found[turn].append(anchor)
        elif waiting and not found[turn]:
            turns[turn] = waiting.pop(0)
            continue
        if anchor is None or len(found[turn]) == limit:
            open_turns.remove(turn)
    _report(frames, turns, num_classes, sum(map(len, found)), search, limit)
    rows = np.repeat(np.asarray(turns, dtype=np.int64), [len(own) for own in found])
    return rows, np.concatenate([np.stack(own) for own in found if own])


class _Search:
    """The candidates of each reference, in the order in which they were drawn, and what was accepted of them."""

    def __init__(self, cache: VolumeCache, frames: Frames, generator: torch.Generator, rules: CoordinateRules) -> None:
        self.cache, self.frames, self.generator, self.rules = cache, frames, generator, rules
        self.tried = self.suitable = 0
        self._pools: dict[int, Iterator[NDArray[np.float64]]] = {}
        self._rows: list[int] = []
        self._anchors: list[NDArray[np.float64]] = []

    def next(self, row: int) -> NDArray[np.float64] | None:
        """Accept the next candidate of a reference that lies apart from all accepted ones; ``None`` if none is left."""
        if row not in self._pools:
            pool = self._candidates(row)
            self.tried, self.suitable = self.tried + self.rules.candidates, self.suitable + len(pool)
            self._pools[row] = iter(pool)
        for anchor in self._pools[row]:
            if self._lies_apart(anchor, row):
                self._rows.append(row)
                self._anchors.append(anchor)
                return anchor
        return None

    def _lies_apart(self, anchor: NDArray[np.float64], row: int) -> bool:
        if not self._anchors:
            return True
        others, units = np.stack(self._anchors), self.frames.units
        if self.rules.min_distance and np.linalg.norm(others - anchor, axis=1).min() < self.rules.min_distance:
            return False
        smaller = np.minimum(units[self._rows], units[row])
        return bool((overlap(anchor, others, smaller, self.frames.crop_units) <= self.rules.max_iou).all())

    def _candidates(self, row: int) -> NDArray[np.float64]:
        """Draw anchors uniformly where the crop lies inside one image, and keep those (M, d) that fulfil the rules."""
        anchors = self._draw(row)
        if not len(anchors):
            return anchors
        boxes = self.frames.boxes(anchors, [row])[0][:, 0]
        name, rules = self.frames.ids[row], self.rules
        kept = np.ones(len(anchors), dtype=bool)
        if rules.min_body_share > 0 or rules.min_deviation > 0:
            share, deviation = box_statistics(self.cache, name, rules.intensity_range).measure(boxes)
            kept &= (share >= rules.min_body_share) & (deviation > rules.min_deviation)
        if rules.max_tissue_share < 1:
            kept &= tissue_share(self.cache, name, boxes, rules.tissue_threshold) <= rules.max_tissue_share
        return anchors[kept]

    def _draw(self, row: int) -> NDArray[np.float64]:
        """Draw candidates (M, d), rounded, so that a table's anchors give the table's boxes again."""
        frames, count = self.frames, self.rules.candidates
        uniform = torch.rand((count, frames.shapes.shape[1]), generator=self.generator, dtype=torch.float64).numpy()
        if self.rules.border is None:
            low, high = frames.anchor_range(row)
            return np.round(low + uniform * (high - low), 0 if frames.name == "voxel" else 6)
        first, last = corner_range(frames.shapes[row], frames.sizes[row], self.rules.border)
        corners = np.floor(first + uniform * (last - first + 1))
        return corners if (first <= last).all() else corners[:0]


def overlap(
    anchor: NDArray[np.float64], anchors: NDArray[np.float64], lengths: NDArray[np.float64], crop: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the intersection over union of equal boxes at one anchor (d) and at others (M, d).

    ``lengths``, (d) or (M, d), is what one unit of an anchor measures and ``crop`` (d) the box's edges, in the same
    unit.
    """
    shared = np.clip(crop - np.abs(anchors - anchor) * lengths, 0, None).prod(axis=-1)
    return np.asarray(shared / (2 * crop.prod() - shared))


def _report(frames: Frames, references: Sequence[int], asked: int, fit: int, search: _Search, limit: int) -> None:
    """Log why fewer coordinates were found than asked; raise if they are too few to tell apart."""
    rules = search.rules
    frame_mm = _millimetres(np.median([frames.extent_mm(row) for row in references], axis=0))
    place = "an image" if frames.name in ("voxel", "fov") else f"a {frames.name} box"
    border = f" less a border of {list(rules.border)} voxels" if rules.border is not None else ""
    if fit < min(2, asked):
        kind = "inside the body and not constant" if rules.max_tissue_share == 1 else "mostly air or lung"
        raise UserError(
            f"There is no room for {asked} classes: {fit} of them fit. A crop covers {_millimetres(frames.crop_mm)} in "
            f"{place} of {frame_mm}{border}, {search.suitable} of {search.tried} places were {kind}, and two boxes "
            f"may overlap at most IoU {rules.max_iou:g}. Use a smaller crop_size{' and border' if border else ''} or a "
            "finer spacing."
        )
    if fit < asked and fit == limit * len(references):
        logger.info("%d classes asked, %d made: %d for each of %d references.", asked, fit, limit, len(references))
    elif fit < asked:
        logger.warning(
            "%d classes asked, %d fit: a crop covers %s, boxes may overlap at most IoU %g in %s of %s%s.",
            *(asked, fit, _millimetres(frames.crop_mm), rules.max_iou, place, frame_mm, border),
        )


def _millimetres(lengths: NDArray[np.float64]) -> str:
    """Return ``64 x 64 x 32 mm``."""
    return " x ".join(f"{length:.0f}" for length in lengths) + " mm"
