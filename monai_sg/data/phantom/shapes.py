"""Signed distances of simple solids and a canvas on which they are painted with partial volume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]
Box = tuple[slice, ...]
Vector = Sequence[float] | NDArray[np.floating]
STRETCH = 1.3  # by how much the bending may widen a box
SLAB = 6  # slices


def oval(x: Array, y: Array, half_width: Array, half_depth: Array) -> Array:
    """Radial distance (mm, negative inside) to the outline of a trunk: a superellipse, narrower in front."""
    u = (1 + 0.0009 * y) * x
    u /= half_width
    u *= u
    v = y / half_depth
    v *= v
    level: Array = np.float32(0.7) * np.sqrt(u + v)
    u *= u
    v *= v
    u += v
    level += np.float32(0.3) * np.sqrt(np.sqrt(u))
    radius = np.sqrt(x * x + y * y)
    return np.asarray(radius - radius / np.maximum(level, np.float32(1e-3)), dtype=np.float32)


def choose(condition: NDArray[np.bool_], one: ArrayLike, other: ArrayLike) -> Array:
    """``numpy.where`` in float32."""
    return np.where(condition, np.asarray(one, np.float32), np.asarray(other, np.float32))


def ellipsoid(points: Array, centre: Vector, radii: ArrayLike, rotation: NDArray[np.floating] | None = None) -> Array:
    """Distance (mm, negative inside, first order) to an ellipsoid; ``points`` is (3, *spatial).

    The columns of ``rotation`` are the directions of the three ``radii``.
    """
    reach = np.asarray(radii, np.float32)
    local = [axis - np.float32(middle) for axis, middle in zip(points, centre, strict=True)]
    if rotation is not None:
        local = [_dot(direction, local) for direction in rotation.T]
    local = [axis / size for axis, size in zip(local, reach, strict=True)]
    squares = [axis * axis for axis in local]
    level = np.sqrt(squares[0] + squares[1] + squares[2])
    slope = np.sqrt(_dot(1 / reach**2, squares))
    return choose(level > 0.1, level * (level - 1) / np.maximum(slope, np.float32(1e-6)), -reach.min())


def tube(points: Array, start: Vector, stop: Vector, radius: float, end_radius: float | None = None) -> Array:
    """Distance (mm, negative inside) to a round cone with spherical ends; ``points`` is (3, *spatial)."""
    axis = np.subtract(stop, start)
    local = [coordinate - np.float32(first) for coordinate, first in zip(points, start, strict=True)]
    along = np.clip(_dot(axis / max(float(axis @ axis), 1e-6), local), 0, 1)
    for coordinate, length in zip(local, axis.tolist(), strict=True):
        coordinate -= np.float32(length) * along
        coordinate *= coordinate
    taper = (radius if end_radius is None else end_radius) - radius
    distance = np.sqrt(local[0] + local[1] + local[2]) - np.float32(radius) - np.float32(taper) * along
    return np.asarray(distance, dtype=np.float32)


def _dot(vector: NDArray[np.floating], points: Sequence[Array]) -> Array:
    """Sum of three products, without BLAS, whose rounding may change with its number of threads."""
    x, y, z = vector.tolist()
    return np.asarray(points[0] * x + points[1] * y + points[2] * z, dtype=np.float32)


def rotation(*degrees: float) -> NDArray[np.floating]:
    """Rotation matrix (3, 3): about x, then y, then z, by the given angles in degrees."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        turn = np.eye(3)
        one, two = [index for index in range(3) if index != axis]
        turn[one, one] = turn[two, two] = np.cos(angle)
        turn[one, two], turn[two, one] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def smooth_noise(rng: np.random.Generator, shape: Sequence[int], cell: float) -> Array:
    """Noise of mean 0 and standard deviation 1 that varies over about ``cell`` voxels, shape ``shape``."""
    coarse = [max(int(size / cell) + 2, 2) for size in shape]
    noise = torch.from_numpy(rng.standard_normal((1, 1, *coarse), dtype=np.float32))
    fine = torch.nn.functional.interpolate(noise, tuple(shape), mode="trilinear", align_corners=True)[0, 0].numpy()
    return np.asarray((fine - fine.mean()) / fine.std(), dtype=np.float32)


@dataclass
class Canvas:
    """A volume of HU and its organ map on a grid whose voxels know their place in a reference anatomy.

    ``points`` (3, *spatial) holds the reference coordinates in mm (x to the patient's right, y to the front, z up);
    ``matrix`` and ``offset`` take reference coordinates to voxels, but for a slight bending; ``blur`` (mm) is the width
    over which an edge fades.
    """

    points: Array
    matrix: NDArray[np.floating]
    offset: NDArray[np.floating]
    blur: float
    hu: Array = field(init=False)
    labels: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        self.hu = np.full(self.shape, -1000, dtype=np.float32)
        self.labels = np.zeros(self.shape, dtype=np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels per axis."""
        return self.points.shape[1:]

    def slabs(self) -> Iterator[tuple[slice, Canvas]]:
        """Slices of x and the canvas cut to each, without a copy, so that the work on each stays in the cache."""
        for start in range(0, self.shape[0], SLAB):
            part = slice(start, min(start + SLAB, self.shape[0]))
            view = replace(self, points=self.points[:, part], offset=self.offset - [start, 0, 0])
            view.hu, view.labels = self.hu[part], self.labels[part]
            yield part, view

    def box(self, lower: ArrayLike, upper: ArrayLike) -> Box:
        """Voxels that cover a box of the reference anatomy, given in mm."""
        low, high = np.asarray(lower, float), np.asarray(upper, float)
        centre = self.voxel((low + high) / 2)
        half = np.abs(self.matrix) @ (high - low) * (0.5 * STRETCH) + 1.5
        bounds = zip((centre - half).tolist(), (centre + half).tolist(), self.shape, strict=True)
        return tuple(slice(min(max(int(a), 0), size), min(max(int(b) + 2, 0), size)) for a, b, size in bounds)

    def voxel(self, point: ArrayLike) -> NDArray[np.floating]:
        """Voxel coordinates (3,) of a point of the reference anatomy, corrected once for the bending."""
        place = self.matrix @ np.asarray(point, float) + self.offset
        x, y, z = (min(max(round(p), 0), size - 1) for p, size in zip(place.tolist(), self.shape, strict=True))
        return place - (self.matrix @ self.points[:, x, y, z] + self.offset - (x, y, z))

    def paint(self, box: Box, distance: Array, hu: float | Array, label: int | None = None, share: float = 1) -> None:
        """Blend ``hu`` in where ``distance`` (mm) is negative, with partial volume at the edge.

        Args:
            box: the voxels ``distance`` was computed for.
            distance: signed distance, negative inside.
            hu: one value or one per voxel of the box.
            label: organ number written to the voxels that are inside; None leaves them.
            share: highest weight of ``hu``, below 1 for structures thinner than a voxel.
        """
        weight = distance * np.float32(-1 / self.blur)
        weight += np.float32(0.5)
        np.clip(weight, 0, 1, out=weight)
        weight *= np.float32(share)
        view = self.hu[box]
        change = hu - view
        change *= weight
        view += change
        if label is not None:
            self.labels[box][distance < 0] = label

    def ellipsoid(
        self,
        centre: Vector,
        radii: ArrayLike,
        hu: float,
        label: int | None = None,
        turn: NDArray[np.floating] | None = None,
    ) -> None:
        """Paint an ellipsoid; ``turn`` as the rotation in `ellipsoid`."""
        reach = np.full(3, np.max(radii)) if turn is not None else np.asarray(radii)
        box = self.box(np.asarray(centre) - reach, np.asarray(centre) + reach)
        self.paint(box, ellipsoid(self.points[(slice(None), *box)], centre, radii, turn), hu, label)

    def tube(self, path: ArrayLike, radii: Sequence[float] | float, hu: float, label: int | None = None) -> None:
        """Paint a chain of round cones through the points of ``path`` (n, 3); radii per point or one for all."""
        nodes = np.asarray(path, float)
        widths = [radii] * len(nodes) if isinstance(radii, (int, float)) else list(radii)
        for one, two, start, stop in zip(nodes[:-1], nodes[1:], widths[:-1], widths[1:], strict=True):
            wide = max(start, stop)
            box = self.box(np.minimum(one, two) - wide, np.maximum(one, two) + wide)
            distance = tube(self.points[(slice(None), *box)], one, two, start, stop)
            self.paint(box, distance, hu, label, share=min(1.0, 0.5 + wide / self.blur))
