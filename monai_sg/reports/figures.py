"""Pictures of what was discovered, restored and learned, written as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from ..utils.errors import UserError
from .montage import HU_WINDOW, PATTERN_COLOUR, check_lengths, grid_of_axes, note, save_figure, show_row
from .slices import central_slice, planes_of

RANDOM_COLOUR = "#c0504d"


def pattern_montage(
    path: str | Path,
    crops: Sequence[ArrayLike],
    references: Sequence[ArrayLike],
    notes: Sequence[tuple[str, str]],
    title: str = "Discovered patterns",
    *,
    distances: Sequence[Sequence[float]] | None = None,
    spacing: Sequence[float] | None = None,
    window: tuple[float, float] = HU_WINDOW,
) -> Path:
    """Show one class per row: its crops in similar patients, beside the same box in patients drawn at random.

    Args:
        path: the PNG file.
        crops: per class (n, *spatial), the same pattern in n patients, nearest first; central axial slices are shown.
        references: per class (m, *spatial), the same box in m random patients.
        notes: per class what is written beside its crops, and beside those of random patients.
        title: stands above the figure.
        distances: per class n distances in feature space, shown above the crops.
        spacing: mm per voxel; None labels the axes in voxels.
        window: values shown as black and as white.

    Raises:
        UserError: if the lists differ in length or an array is not (n, x, y) or (n, x, y, z).
    """
    check_lengths(crops=crops, references=references, notes=notes, distances=distances)
    found = [_stack(crop, f"crops of row {row}") for row, crop in enumerate(crops)]
    drawn = [_stack(crop, f"references of row {row}") for row, crop in enumerate(references)]
    left, right = max(map(len, found)), max(map(len, drawn))
    figure, grid = grid_of_axes([1.0] * len(found), [*[1.0] * left, 0.4, *[1.0] * right], title)
    for row, (one, two) in enumerate(zip(found, drawn, strict=True)):
        near = [] if distances is None else [f"d = {value:.2f}" for value in distances[row]]
        pictures, others = ([central_slice(crop, "axial", spacing) for crop in half] for half in (one, two))
        show_row(grid[row][: left + 1], pictures, window, near)
        show_row(grid[row][left + 1 :], others, window, [])
        note(grid[row][0], notes[row][0], PATTERN_COLOUR)
        note(grid[row][left + 1], notes[row][1], RANDOM_COLOUR)
    central_slice(found[-1][0], "axial", spacing).scale(grid[-1][0])
    return save_figure(figure, path)


def restoration_montage(
    path: str | Path,
    originals: ArrayLike,
    corrupted: ArrayLike,
    restored: ArrayLike,
    names: Sequence[str],
    *,
    spacing: Sequence[float] | None = None,
    window: tuple[float, float] = (0.0, 1.0),
) -> Path:
    """Show per crop the original, what the network saw, what it gave, and the absolute error; MSE of the whole crop.

    Args:
        path: the PNG file.
        originals: (n, *spatial); a volume takes two rows, its central axial and coronal slice.
        corrupted: the same shape.
        restored: the same shape.
        names: n names of crops.
        spacing: mm per voxel; None labels the axes in voxels.
        window: values shown as black and as white; errors are shown from 0 to half of its width.

    Raises:
        ValueError: if shapes or the number of names differ.
    """
    truth, seen, given = _alike(originals=originals, corrupted=corrupted, restored=restored)
    check_lengths(originals=truth, names=names)
    planes, error = planes_of(truth[0]), np.abs(given - truth)
    shapes = [central_slice(truth[0], plane, spacing).size for plane in planes]
    figure, grid = grid_of_axes([height / width for width, height in shapes] * len(truth), [1.0] * 4, "")
    for row, line in enumerate(grid):
        crop, plane = row // len(planes), planes[row % len(planes)]
        pictures = [central_slice(stack[crop], plane, spacing) for stack in (truth, seen, given, error)]
        titles = ["original", f"corrupted\n{_mse(seen, truth, crop)}", f"restored\n{_mse(given, truth, crop)}"]
        show_row(line[:3], pictures[:3], window, titles if plane == planes[0] else [])
        shown = pictures[3].show(line[3], (0.0, (window[1] - window[0]) / 2), "inferno")
        pictures[0].scale(line[0])
        note(line[0], names[crop] if len(planes) == 1 else f"{names[crop]}\n{plane}", "black")
    grid[0][3].set_title("|restored - original|", fontsize=7, pad=2)
    figure.colorbar(shown, ax=[line[3] for line in grid], fraction=0.1, pad=0.04).ax.tick_params(labelsize=6)
    return save_figure(figure, path)


def correlation_chart(
    path: str | Path,
    within: Sequence[float],
    random: Sequence[float],
    labels: Sequence[int | str] | None = None,
    shared_bits: tuple[float, float] | None = None,
) -> Path:
    """Show per class the correlation of its crops, joined to that of the same box in random patients.

    Args:
        path: the PNG file.
        within: mean pairwise correlation per class, of the discovered crops.
        random: the same of random patients.
        labels: names of the classes; None numbers them.
        shared_bits: what the patient tells of the class, and what there is to tell; written below.

    Raises:
        ValueError: if the lists are empty or differ in length.
    """
    names = list(range(len(within))) if labels is None else list(labels)
    check_lengths(within=within, random=random, labels=names)
    ours, theirs = np.asarray(within, float), np.asarray(random, float)
    order = np.argsort(ours)
    places = np.arange(len(ours))
    figure = Figure(figsize=(5.5, 1.6 + 0.2 * len(ours)), layout="constrained")
    axes = figure.subplots()
    axes.hlines(places, theirs[order], ours[order], color="0.75", linewidth=2, zorder=1)
    axes.scatter(theirs[order], places, color=RANDOM_COLOUR, label=f"random patients, mean {np.nanmean(theirs):.2f}")
    axes.scatter(ours[order], places, color=PATTERN_COLOUR, label=f"discovered, mean {np.nanmean(ours):.2f}")
    axes.set_yticks(places, [str(names[index]) for index in order], fontsize=7)
    told = (
        "" if shared_bits is None else "\nthe patient tells {:.2f} of the {:.2f} bits of the class".format(*shared_bits)
    )
    axes.set_xlabel(f"mean pairwise correlation of the crops of a class{told}")
    axes.set_ylabel("class")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    return save_figure(figure, path)


def curve_chart(path: str | Path, history: Mapping[str, ArrayLike], title: str = "Loss") -> Path:
    """Show curves over epochs, the first epoch being 1; NaN, as in epochs without validation, is passed over.

    Args:
        path: the PNG file.
        history: per curve, for example ``training`` and ``validation``, one value per epoch, or ``(runs, epochs)``: the
            mean is drawn as a line and the range from the lowest to the highest run as a band.
        title: label of the vertical axis.

    Raises:
        UserError: if there is no curve or a curve has no value.
    """
    curves = {name: np.atleast_2d(np.asarray(curve, float)) for name, curve in history.items()}
    if not curves or not all(curve.size for curve in curves.values()):
        lengths = {name: curve.shape[1] for name, curve in curves.items()}
        raise UserError(f"history has the lengths {lengths}; give at least one curve with one value per epoch.")
    figure = Figure(figsize=(5.5, 3.4), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        known = np.flatnonzero(~np.isnan(curve).all(0))
        values = curve[:, known]
        (line,) = axes.plot(known + 1, np.nanmean(values, 0), marker="o", markersize=3, label=name)
        if len(curve) > 1:
            axes.fill_between(known + 1, np.nanmin(values, 0), np.nanmax(values, 0), alpha=0.2, color=line.get_color())
    axes.set_xlabel("epoch")
    axes.set_ylabel(title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return save_figure(figure, path)


def _mse(one: NDArray[np.float32], two: NDArray[np.float32], index: int) -> str:
    return f"MSE {np.mean((one[index] - two[index]) ** 2):.3g}"


def _stack(crops: ArrayLike, name: str) -> NDArray[np.float32]:
    array = np.asarray(crops, dtype=np.float32)
    if array.ndim not in (3, 4) or not array.size:
        raise UserError(f"{name} have shape {array.shape}; give (n, x, y) or (n, x, y, z) without channels, n >= 1.")
    return array


def _alike(**stacks: ArrayLike) -> list[NDArray[np.float32]]:
    arrays = {name: _stack(stack, name) for name, stack in stacks.items()}
    if len({array.shape for array in arrays.values()}) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise UserError(f"{shapes} differ in shape; give the same crops three times.")
    return list(arrays.values())
