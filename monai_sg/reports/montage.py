"""What all figures made of pictures in rows and columns share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..utils.errors import UserError
from ..utils.files import write_atomic
from .slices import Slice

HU_WINDOW = (-1000.0, 1000.0)
CELL = 1.25  # inches
PATTERN_COLOUR = "#1b6ca8"


def grid_of_axes(heights: Sequence[float], widths: Sequence[float], title: str) -> tuple[Figure, list[list[Axes]]]:
    """Make a figure of cells with the given relative heights and widths, row by row."""
    figure = Figure(
        figsize=(CELL * sum(widths) + 1.2, CELL * sum(heights) + 0.25 * len(heights) + 0.4), layout="constrained"
    )
    figure.suptitle(title, fontsize=10)
    return figure, figure.subplots(
        len(heights), len(widths), squeeze=False, width_ratios=widths, height_ratios=heights
    ).tolist()


def show_row(
    cells: Sequence[Axes], pictures: Sequence[Slice], window: tuple[float, float], titles: Sequence[str]
) -> None:
    """Draw pictures into the first cells of a row, with titles above the first of them; the other cells stay empty."""
    for cell, picture, title in zip_longest(cells, pictures, titles[: len(pictures)]):
        if picture is None:
            cell.set_axis_off()
            continue
        picture.show(cell, window)
        if title is not None:
            cell.set_title(title, fontsize=7, pad=2)


def note(axes: Axes, text: str, colour: str) -> None:
    """Write a text to the left of a cell."""
    axes.annotate(
        text, (0, 0.5), (-30, 0), "axes fraction", "offset points", fontsize=7, color=colour, ha="right", va="center"
    )


def check_lengths(**lists: Sequence[object] | NDArray[np.float32] | None) -> None:
    """Raise ``ValueError`` if named lists, ``None`` left aside, differ in length or are empty."""
    lengths = {name: len(values) for name, values in lists.items() if values is not None}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise UserError(f"The lists have the lengths {lengths}; give as many of each, at least one.")


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG, atomically; the same figure gives the same bytes."""
    return write_atomic(path, lambda file: figure.savefig(file, format="png", dpi=150, metadata={"Software": None}))
