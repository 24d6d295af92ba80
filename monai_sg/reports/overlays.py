"""Outlines of segmentations on the images they belong to, written as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from ..utils.errors import UserError
from .montage import CELL, grid_of_axes, save_figure
from .slices import central_slice

TRUTH_COLOUR, COLOURS = "#2ca02c", ("#ff7f0e", "#17becf", "#e377c2", "#bcbd22")


def overlay_montage(
    path: str | Path,
    images: Sequence[ArrayLike],
    truths: Sequence[ArrayLike],
    predictions: Mapping[str, Sequence[ArrayLike]],
    names: Sequence[str],
    *,
    spacings: Sequence[Sequence[float]] | None = None,
) -> Path:
    """Show one case per row: the true outline, then that of each prediction beside it, with its Dice.

    Of a volume the axial slice with the most foreground is shown, and the Dice is that of the volume.

    Args:
        path: the PNG file.
        images: per case (x, y) or (x, y, z).
        truths: per case the mask of the same shape.
        predictions: per method one mask per case.
        names: of the cases.
        spacings: mm per voxel, per case; None shows voxels as squares.

    Raises:
        ValueError: the lists differ in length, or a mask has another shape than its image.
    """
    _check(images, truths, predictions, names)
    figure, grid = grid_of_axes([1.0] * len(images), [1.0] * (1 + len(predictions)), "")
    for row, cells in enumerate(grid):
        truth = np.asarray(truths[row]) > 0
        masks = {"truth": truth, **{method: np.asarray(drawn[row]) > 0 for method, drawn in predictions.items()}}
        where, spacing = _busiest(truth), None if spacings is None else spacings[row]
        image = np.asarray(images[row], np.float32)[where]
        window = _window(image, truth[where])
        for cell, colour, (method, mask) in zip(cells, (TRUTH_COLOUR, *COLOURS), masks.items(), strict=False):
            central_slice(image, "axial", spacing).show(cell, window)
            _outline(cell, truth[where], spacing, TRUTH_COLOUR)
            _outline(cell, mask[where], spacing, colour)
            note = names[row] if method == "truth" else f"Dice {_dice(mask, truth):.3f}"
            cell.set_title(f"{method}\n{note}", fontsize=7, pad=2)
    figure.set_size_inches(2 * CELL * (1 + len(predictions)), 2 * CELL * len(images))
    return save_figure(figure, path)


def _busiest(truth: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the index of the axial slice with the most foreground, the whole of a 2D image."""
    if truth.ndim == 2:
        return (slice(None), slice(None))
    height = int(truth.sum(axis=(0, 1)).argmax())
    return (slice(None), slice(None), slice(height, height + 1))


def _window(image: NDArray[np.float32], truth: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the values to show as black and as white: the middle ones around the foreground, and as much again."""
    box = tuple(slice(places.min(), places.max() + 1) for places in truth.nonzero()) if truth.any() else ()
    low, high = np.percentile(image[box], (10, 90))
    spare = max(float(high - low), 1e-3)
    return float(low) - spare, float(high) + spare


def _outline(axes: Axes, mask: NDArray[np.bool_], spacing: Sequence[float] | None, colour: str) -> None:
    if not mask.any():
        return
    picture = central_slice(mask.astype(np.float32), "axial", spacing)
    rows, columns = picture.pixels.shape
    width, height = picture.size
    across = (np.arange(columns) + 0.5) * width / columns
    down = (np.arange(rows) + 0.5) * height / rows
    axes.contour(across, down, picture.pixels, levels=[0.5], colors=colour, linewidths=0.9)


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    total = one.sum() + other.sum()
    return float(2 * (one & other).sum() / total) if total else float("nan")


def _check(
    images: Sequence[ArrayLike],
    truths: Sequence[ArrayLike],
    predictions: Mapping[str, Sequence[ArrayLike]],
    names: Sequence[str],
) -> None:
    lengths = {"images": len(images), "truths": len(truths), "names": len(names)}
    lengths |= {name: len(masks) for name, masks in predictions.items()}
    if len(set(lengths.values())) > 1 or not images:
        raise UserError(f"The lists have the lengths {lengths}; give as many of each, at least one.")
    for masks in (truths, *predictions.values()):
        for image, mask, name in zip(images, masks, names, strict=True):
            if np.shape(image) != np.shape(mask):
                raise UserError(f"{name} has an image of shape {np.shape(image)} and a mask of {np.shape(mask)}.")
