"""Lung nodules and liver tumours of the phantom, and places that look like nodules but are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .patient import ORGANS, Patient
from .shapes import Array, Canvas, ellipsoid
from .vessels import Tree, points_in

MOST_NODULES = 4
DECOYS = 8


@dataclass(frozen=True)
class Lesion:
    """Centre in world mm (RAS) and diameter in mm; the diameter of a decoy is 0."""

    centre: tuple[float, float, float]
    diameter: float


def paint_nodules(
    canvas: Canvas, lung: Array, trees: Sequence[Tree], affine: NDArray[np.floating], draw: np.random.Generator
) -> tuple[list[Lesion], list[Lesion]]:
    """Paint up to four nodules into the lungs, solid or part-solid, and choose decoys where vessels branch.

    Returns:
        nodules, and decoys that lie at least 20 mm from every nodule.
    """
    spacing = np.diag(affine)[:3]
    least = max(6.0, 2.2 * float(spacing.max()))
    nodules: list[Lesion] = []
    for _ in range(int(draw.integers(0, MOST_NODULES + 1))):
        radius = least / 2 + float(draw.gamma(1.5, 2.0))
        room = np.flatnonzero((lung < -0.6 * radius) & (canvas.labels >= ORGANS["lung_right"]))
        voxel = np.array(np.unravel_index(int(draw.choice(room)), canvas.shape), float)
        centre = affine[:3, :3] @ (voxel + draw.uniform(-0.3, 0.3, 3)) + affine[:3, 3]
        if any(np.linalg.norm(centre - nodule.centre) < 30 for nodule in nodules):
            continue
        _paint_nodule(canvas, affine, centre, radius, draw)
        nodules.append(Lesion(tuple(centre.tolist()), 2 * radius))
    return nodules, _decoys(canvas, trees, nodules, affine, draw)


def _paint_nodule(
    canvas: Canvas, affine: NDArray[np.floating], centre: NDArray[np.floating], radius: float, draw: np.random.Generator
) -> None:
    spacing = np.diag(affine)[:3]
    middle, reach = (centre - affine[:3, 3]) / spacing, (radius + 8) / spacing
    starts = np.maximum(np.floor(middle - reach), 0).astype(int)
    stops = np.minimum(np.ceil(middle + reach) + 1, canvas.shape).astype(int)
    box = tuple(slice(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True))
    axes = [
        (np.arange(part.start, part.stop, dtype=np.float32) * spacing[axis] + affine[axis, 3] - centre[axis])
        for axis, part in enumerate(box)
    ]
    offset = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    distance = ellipsoid(offset, (0, 0, 0), radius * draw.uniform(0.9, 1.1, 3))
    spikes = 0.12 * radius * np.prod(np.sin(offset / np.float32(0.35 * radius) + 1), axis=0)
    solid = draw.random() < 0.75
    canvas.paint(box, distance + spikes, float(draw.uniform(10, 80)) if solid else -450.0, ORGANS["lung_nodule"])
    if not solid:
        canvas.paint(box, distance + 0.5 * radius, 20)


def _decoys(
    canvas: Canvas,
    trees: Sequence[Tree],
    nodules: Sequence[Lesion],
    affine: NDArray[np.floating],
    draw: np.random.Generator,
) -> list[Lesion]:
    forks = np.concatenate(
        [tree.nodes[1:][np.bincount(tree.parents, minlength=len(tree.nodes))[1:] > 1] for tree in trees]
    )
    chosen = forks[draw.permutation(len(forks))[: 2 * DECOYS]]
    voxels = np.array([canvas.voxel(fork) for fork in chosen])
    places = voxels @ affine[:3, :3].T + affine[:3, 3]
    far = [place for place in places if all(np.linalg.norm(place - nodule.centre) > 20 for nodule in nodules)]
    return [Lesion(tuple(place.tolist()), 0.0) for place in far[:DECOYS]]


def paint_tumours(canvas: Canvas, patient: Patient, liver: Array, draw: np.random.Generator) -> None:
    """Paint up to three tumours into the liver, darker than it, some with a bright rim."""
    for _ in range(int(draw.integers(0, 4))):
        radius = float(draw.uniform(7, 22))
        places = points_in(canvas, liver < -0.7 * radius, 1, draw)
        if not len(places):
            continue
        radii = radius * draw.uniform(0.8, 1.2, 3)
        if patient.phase == "arterial":
            canvas.ellipsoid(places[0], radii + 3, patient.liver_hu + 35)
        box = canvas.box(places[0] - radii, places[0] + radii)
        distance = np.maximum(ellipsoid(canvas.points[(slice(None), *box)], places[0], radii), liver[box])
        canvas.paint(box, distance, patient.liver_hu - float(draw.uniform(22, 45)), ORGANS["liver_tumour"])
