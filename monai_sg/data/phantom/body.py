"""One patient of the CT phantom: from a seed to Hounsfield units, an organ map and the nodules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...utils.seeds import seed_for
from .abdomen import liver_distance, paint_back, paint_fat, paint_kidneys, paint_left_organs, paint_liver
from .lesions import Lesion, paint_nodules, paint_tumours
from .patient import Patient, draw_patient
from .shapes import Array, Canvas, rotation, smooth_noise
from .skeleton import paint_ribs, paint_shoulders, paint_spine, paint_sternum
from .thorax import (
    cavity_distance,
    diaphragm_distance,
    lung_distance,
    paint_heart,
    paint_lung_vessels,
    paint_lungs,
    paint_mediastinum,
    paint_vessels,
    paint_wall,
)
from .vessels import Tree

FIELD_OF_VIEW = (372.0, 288.0, 294.0)  # mm
CENTRE_HEIGHT = 30.0  # mm above the right dome of the diaphragm
BEND = 5.5  # mm, amplitude of each wave that bends the anatomy


@dataclass(frozen=True)
class Phantom:
    """A phantom scan: ``hu`` int16 and ``labels`` uint8 (x, y, z) in RAS order, voxel to world ``affine`` (mm, RAS).

    ``nodules`` are the lung nodules, ``decoys`` places in the lung without one; world mm, RAS.
    """

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    affine: NDArray[np.float64]
    patient: Patient
    nodules: list[Lesion]
    decoys: list[Lesion]


def make_phantom(seed: int, number: int, shape: Sequence[int] = (124, 96, 98)) -> Phantom:
    """Make patient ``number`` of the cohort ``seed``; the same two numbers and shape give the same voxels.

    Args:
        seed: the cohort.
        number: the patient.
        shape: voxels per axis of an average scan; each patient's differs by a few, as does the spacing.
    """
    draw = np.random.default_rng(seed_for("ct phantom", seed, number))
    patient = draw_patient(draw)
    size = tuple(round(length * draw.uniform(0.96, 1.04)) for length in shape)
    spacing = np.array([length / voxels for length, voxels in zip(FIELD_OF_VIEW, shape, strict=True)])
    spacing *= np.array([draw.uniform(0.97, 1.04)] * 2 + [draw.uniform(0.97, 1.04)])
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -spacing * (np.array(size) - 1) / 2 + np.round(draw.uniform((-15, -30, -320), (15, 30, -120)), 2)
    canvas = _canvas(patient, size, spacing, draw)
    texture = smooth_noise(draw, size, cell=3.2)
    lung, trees = _paint_anatomy(canvas, patient, texture, draw)
    nodules, decoys = paint_nodules(canvas, lung, trees, affine, draw)
    _finish(canvas, patient, spacing, draw)
    hu = np.clip(np.rint(canvas.hu), -1024, 3071).astype(np.int16)
    return Phantom(hu, canvas.labels, affine, patient, nodules, decoys)


def _canvas(
    patient: Patient, size: tuple[int, ...], spacing: NDArray[np.floating], draw: np.random.Generator
) -> Canvas:
    """Lay the reference anatomy into the scan: scaled, turned, shifted, and bent by a few long waves."""
    turn = rotation(*patient.tilt)
    scale = np.array(patient.scale)
    to_reference = np.diag(1 / scale) @ turn.T @ np.diag(spacing)
    middle = (np.array(size) - 1) / 2
    centre = np.array([0, -6, CENTRE_HEIGHT]) - np.diag(1 / scale) @ turn.T @ np.array(patient.shift)
    axes = [np.arange(length, dtype=np.float32) - np.float32(half) for length, half in zip(size, middle, strict=True)]
    points = np.empty((3, *size), np.float32)
    grids = np.meshgrid(*axes, indexing="ij", sparse=True)
    for row in range(3):
        parts = [np.float32(to_reference[row, column]) * grids[column] for column in range(3)]
        points[row] = parts[0] + parts[1] + parts[2] + np.float32(centre[row])
        for _ in range(2):
            waves = [
                np.cos(grid * np.float32(step * draw.uniform(0.010, 0.028)) + np.float32(draw.uniform(0, 6.28)))
                for grid, step in zip(grids, spacing, strict=True)
            ]
            points[row] += np.float32(BEND) * waves[0] * waves[1] * waves[2]
    matrix = np.linalg.inv(to_reference)
    blur = float(np.cbrt(np.prod(spacing)) / np.cbrt(np.prod(scale)))
    return Canvas(points, matrix, middle - matrix @ centre, blur=blur)


def _paint_anatomy(
    canvas: Canvas, patient: Patient, texture: Array, draw: np.random.Generator
) -> tuple[Array, list[Tree]]:
    """Paint everything from the skin inwards; gives the distance to the lungs and the trees of their vessels."""
    grain = smooth_noise(draw, canvas.shape, cell=1.6)
    cavity, diaphragm, lung, liver = np.empty((4, *canvas.shape), np.float32)
    for part, slab in canvas.slabs():
        cavity[part] = cavity_distance(slab.points, patient)
        diaphragm[part] = diaphragm_distance(slab, patient)
        lung[part] = lung_distance(slab, patient, cavity[part], diaphragm[part])
        liver[part] = liver_distance(slab, patient, cavity[part], diaphragm[part])
        paint_wall(slab, patient, cavity[part], texture[part])
        paint_fat(slab, cavity[part], diaphragm[part], lung[part], texture[part])
        paint_lungs(slab, patient, lung[part], texture[part], grain[part])
    paint_ribs(canvas, patient, cavity)
    paint_sternum(canvas, cavity)
    paint_shoulders(canvas)
    paint_mediastinum(canvas)
    paint_back(canvas, patient)
    paint_kidneys(canvas, patient)
    paint_left_organs(canvas, patient, cavity, diaphragm, texture)
    paint_liver(canvas, patient, liver, texture, draw)
    paint_tumours(canvas, patient, liver, draw)
    paint_heart(canvas, patient)
    paint_vessels(canvas, patient)
    paint_spine(canvas, patient, texture)
    return lung, paint_lung_vessels(canvas, patient, lung, draw)


def _finish(canvas: Canvas, patient: Patient, spacing: NDArray[np.floating], draw: np.random.Generator) -> None:
    """Add the table under the back, then blur and noise of the scanner."""
    size = canvas.shape
    body = canvas.labels > 0
    back = int(np.argmax(body.any(axis=(0, 2)))) * spacing[1] - patient.table_gap
    x = ((np.arange(size[0], dtype=np.float32) - (size[0] - 1) / 2) * spacing[0])[:, None]
    below = back + 0.0008 * x * x - (np.arange(size[1], dtype=np.float32) * spacing[1])[None]
    plate = np.clip(0.5 - (np.abs(below - 3) - 1.5) / spacing[1], 0, 1) * 650
    plate += np.clip(0.5 - (np.abs(below - 24) - 1.5) / spacing[1], 0, 1) * 600
    plate += 70 * ((below > 3) & (below < 24))
    canvas.hu += np.where(body, 0, plate[..., None])
    canvas.hu = ndimage.gaussian_filter(canvas.hu, patient.kernel, truncate=2.5)
    noise = draw.standard_normal(size, dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, 0.5, truncate=2.5)
    canvas.hu += noise * np.float32(patient.noise / noise.std())
