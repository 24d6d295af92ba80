"""Bars of how alike the crops of a class are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from ..utils.errors import UserError
from .montage import save_figure

CHANCE_COLOUR = "0.8"

Bars = Mapping[str, Mapping[str, Mapping[str, tuple[float, float]]]]


def agreement_chart(path: str | Path, bars: Bars, chance: Mapping[str, Mapping[str, float]], title: str) -> Path:
    """Show one panel per measure, a group of bars per frame, and chance as a broad grey bar behind them.

    Args:
        path: the PNG file.
        bars: measure -> frame -> what the images were chosen by -> (mean, standard deviation).
        chance: measure -> frame -> what other places give.
        title: stands above the figure.

    Raises:
        ValueError: if there is no measure.
    """
    if not bars:
        raise UserError("There is no measure to draw; give at least one.")
    figure = Figure(figsize=(0.6 + 2.9 * len(bars), 3.2), layout="constrained")
    figure.suptitle(title, fontsize=10)
    panels = figure.subplots(1, len(bars), squeeze=False)[0]
    for axes, (measure, frames) in zip(panels, bars.items(), strict=True):
        places = np.arange(len(frames))
        names = list(dict.fromkeys(name for series in frames.values() for name in series))
        width = 0.8 / len(names)
        axes.bar(places, [chance[measure][frame] for frame in frames], 0.9, color=CHANCE_COLOUR, label="other places")
        for number, name in enumerate(names):
            values, spreads = np.asarray([frames[frame][name] for frame in frames]).T
            colour = colormaps["tab10"](number)
            left = places - 0.4 + (number + 0.5) * width
            axes.bar(left, values, 0.9 * width, yerr=spreads, capsize=2, color=colour, label=name)
        axes.set_xticks(places, list(frames))
        axes.set_title(measure, fontsize=9)
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8, frameon=False
    )
    return save_figure(figure, path)
