"""Scans beside the scans whose features are nearest to theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..data.cache.volume_cache import VolumeCache
from ..data.intensity import IntensityRange
from ..discovery.neighbours import nearest
from ..runs.embedding_stage import Features
from .montage import HU_WINDOW, PATTERN_COLOUR, check_lengths, grid_of_axes, note, save_figure, show_row
from .slices import central_slice, planes_of

NAME_LENGTH = 16
QUERIES = 8
NEIGHBOURS = 5


@dataclass(frozen=True)
class Example:
    """An image (x, y) or (x, y, z) with the mm per voxel along each axis; name and label stand beside or above it."""

    name: str
    image: ArrayLike
    spacing: tuple[float, ...]
    label: str = ""

    @property
    def caption(self) -> str:
        """The name, its beginning cut off where it is long, and in a line of its own the label if there is one."""
        name = self.name if len(self.name) <= NAME_LENGTH else f"...{self.name[3 - NAME_LENGTH :]}"
        return f"{name}\n{self.label}" if self.label else name


def neighbour_montage(
    path: str | Path,
    queries: Sequence[Example],
    neighbours: Sequence[Sequence[Example]],
    distances: Sequence[Sequence[float]],
    title: str = "Nearest in feature space",
    *,
    window: tuple[float, float] = HU_WINDOW,
) -> Path:
    """Show one query per row and beside it what is nearest: axial slices on the left, coronal ones on the right.

    Args:
        path: the PNG file.
        queries: images, each on its own grid.
        neighbours: per query, nearest first.
        distances: per query and neighbour, in feature space.
        title: stands above the figure.
        window: values shown as black and as white.

    Raises:
        ValueError: if the lists differ in length or are empty.
    """
    check_lengths(queries=queries, neighbours=neighbours, distances=distances)
    planes = planes_of(queries[0].image)
    lines = [[query, *near] for query, near in zip(queries, neighbours, strict=True)]
    slices = [[[central_slice(one.image, plane, one.spacing) for one in line] for plane in planes] for line in lines]
    heights = [max(one.size[1] / one.size[0] for half in halves for one in half) for halves in slices]
    half_widths = [1.0, 0.15, *[1.0] * (max(map(len, lines)) - 1), 0.6]
    figure, grid = grid_of_axes(heights, (half_widths * len(planes))[:-1], title)
    for line, halves, values, cells in zip(lines, slices, distances, grid, strict=True):
        names = [f"{one.caption}\nd = {value:.3g}" for one, value in zip(line[1:], values, strict=True)]
        for number, (plane, pictures) in enumerate(zip(planes, halves, strict=True)):
            own = cells[number * len(half_widths) : (number + 1) * len(half_widths)]
            show_row(own[:2], pictures[:1], window, [])
            show_row(own[2:], pictures[1:], window, names)
            note(own[0], f"{line[0].caption}\n{plane}", PATTERN_COLOUR)
    for number in range(len(planes)):
        slices[-1][number][0].scale(grid[-1][number * len(half_widths)])
    return save_figure(figure, path)


def draw_neighbours(path: Path, found: Features, cache: VolumeCache, intensity_range: IntensityRange) -> Path | None:
    """Draw up to 8 rows: an image or box and the 5 nearest of other images, by standardised features.

    Args:
        path: the PNG file.
        found: features.
        cache: the images.
        intensity_range: physical values shown as black and as white, or a window per image.

    Returns:
        ``path``, or ``None`` if there is a single image.
    """
    ids = np.asarray(found.ids)
    if len(set(found.ids)) < 2:
        return None
    spread = found.features.std(axis=0)
    rows = torch.from_numpy((found.features - found.features.mean(axis=0)) / np.where(spread > 0, spread, 1))
    chosen = torch.linspace(0, len(ids) - 1, min(QUERIES, len(ids))).long().tolist()
    near, distances = [], []
    for row in chosen:
        others = np.flatnonzero(ids != ids[row])
        distance, index = nearest(rows[row : row + 1], rows[others], min(NEIGHBOURS, len(others)))
        near.append([_example(found, int(other), cache, intensity_range) for other in others[index[0].numpy()]])
        distances.append(distance[0].tolist())
    title = "Nearest in feature space (Euclidean distance d of standardised features)"
    queries = [_example(found, row, cache, intensity_range) for row in chosen]
    return neighbour_montage(path, queries, near, distances, title, window=(0.0, 1.0))


def _example(found: Features, row: int, cache: VolumeCache, intensity_range: IntensityRange) -> Example:
    """Return an image or box as it went into the network, of several channels the first."""
    name, entry = found.ids[row], cache.entry(found.ids[row])
    if found.boxes is None:
        image, edges = cache.overview(name, found.size), np.asarray(entry.shape)
    else:
        box = found.boxes[row]
        image, edges = cache.read_box(name, box.tolist(), found.size), box[:, 1] - box[:, 0]
    spacing = edges * np.asarray(entry.spacing) / np.asarray(found.size)
    label = "" if found.labels is None else found.classes[found.labels[row]]
    image = cache.scaled(name, torch.from_numpy(image), intensity_range).numpy()
    image = image if entry.channels == 1 else image[0]
    return Example(name, image, tuple(spacing.tolist()), label)
