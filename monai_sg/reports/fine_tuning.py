"""Figures of fine-tuned networks: what they drew beside the truth, and how they learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from math import nan
from pathlib import Path

import numpy as np
import torch
from monai.networks.utils import eval_mode
from numpy.typing import NDArray

from ..data.prepared import PreparedDataset
from ..handlers.history import read_history
from ..runs.fine_tuning import FineTuning
from .figures import curve_chart
from .overlays import overlay_montage

CASES = 4
SELECTED_BY = "dice@0.5"


def draw_comparison(runs: Mapping[str, Sequence[FineTuning]], folder: Path) -> list[Path]:
    """Draw predictions of the first seed's networks on test images, and the learning curves of all seeds.

    Of several structures the outline of all together is drawn.

    Args:
        runs: per arm its finished runs, one per seed.
        folder: where the figures go.
    """
    first = {name: seeds[0] for name, seeds in runs.items()}
    dataset: PreparedDataset = next(iter(first.values())).test_images()
    chosen = sorted({round(step * (len(dataset) - 1) / (CASES - 1)) for step in range(CASES)})
    items = [dataset[index] for index in chosen]
    images = [item["image"] for item in items]
    curves = {name: _curves(seeds) for name, seeds in runs.items()}
    return [
        overlay_montage(
            folder / "overlays.png",
            [image[0].numpy() for image in images],
            [item["label"].amax(0).numpy() for item in items],
            {name: [mask.amax(0).numpy() for mask in _predict(run, images)] for name, run in first.items()},
            [item["id"] for item in items],
            spacings=[dataset.spacings[index] for index in chosen],
        ),
        curve_chart(folder / "curves.png", curves, f"validation {SELECTED_BY}, mean and range of the seeds"),
    ]


def _curves(runs: Sequence[FineTuning]) -> NDArray[np.float64]:
    """Return what the epoch is selected by, ``(runs, epochs)``; NaN where a run did not validate."""
    histories = [read_history(run.folder / "train" / "metrics.csv") for run in runs]
    curves = ([row.get(f"validation_{SELECTED_BY}", nan) for row in history] for history in histories)
    return np.array(list(zip_longest(*curves, fillvalue=nan)), dtype=np.float64).T


def _predict(run: FineTuning, images: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return masks ``(structures, *spatial)`` of images."""
    get = run.workflow("evaluate").parser.get_parsed_content
    network, inferer, device = get("network"), get("validate::inferer"), torch.device(get("device"))
    with eval_mode(network):
        return [(inferer(image[None].to(device), network)[0] >= 0).cpu() for image in images]
