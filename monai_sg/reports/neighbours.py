"""Scans beside the scans whose features are nearest to theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import ArrayLike

from .figures import HU_WINDOW, PATTERN_COLOUR, _note, _row, _same_length, grid_of_axes, save_figure
from .slices import central_slice, planes_of

NAME_LENGTH = 16


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
    _same_length(queries=queries, neighbours=neighbours, distances=distances)
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
            _row(own[:2], pictures[:1], window, [])
            _row(own[2:], pictures[1:], window, names)
            _note(own[0], f"{line[0].caption}\n{plane}", PATTERN_COLOUR)
    for number in range(len(planes)):
        slices[-1][number][0].scale(grid[-1][number * len(half_widths)])
    return save_figure(figure, path)
