"""Crops per second of each corruption, beside the published procedure: one crop after the other, in numpy."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from monai_sg.transforms.bezier_intensity import BezierIntensity
from monai_sg.transforms.corruption import Corruption
from monai_sg.transforms.elastic_warp import ElasticWarp
from monai_sg.transforms.genesis_corruption import GenesisCorruption
from monai_sg.transforms.in_paint import InPaint
from monai_sg.transforms.local_shuffle import LocalShuffle
from monai_sg.transforms.one_of_four import OneOfFour
from monai_sg.transforms.out_paint import OutPaint

from . import reference_corruption as published
from .measure import best_seconds
from .table import Row, compared, limited

GROUP = "corruption"
Procedure = Callable[[np.ndarray, np.random.Generator], np.ndarray]
CALLS = 4
FEW, MANY = 4, 16  # crops of the reference: those of a composition differ in how long they take

CASES: dict[str, tuple[Corruption, Procedure, int, float | None]] = {
    "BezierIntensity": (BezierIntensity(1.0), published.intensity, FEW, None),
    "LocalShuffle, tiled": (LocalShuffle(1.0), published.shuffle, FEW, None),
    "LocalShuffle, exact": (LocalShuffle(1.0, mode="exact"), published.shuffle, FEW, None),
    "InPaint": (InPaint(), partial(published.paint, outside=False), FEW, None),
    "OutPaint": (OutPaint(), partial(published.paint, outside=True), FEW, None),
    "ElasticWarp": (ElasticWarp(), published.warp, FEW, None),
    "Models Genesis, tiled": (GenesisCorruption(), published.genesis, MANY, 20),
    "Models Genesis, exact": (GenesisCorruption(shuffle_mode="exact"), published.genesis, MANY, 8),
    "Semantic Genesis as released": (OneOfFour(), published.one_of_four, MANY, 10),
}
"""Corruption, its reference, the crops that the reference is given, and how many times as fast ours has to be."""


def rows(args: argparse.Namespace) -> list[Row]:
    """Time sampling and applying on the device; the reference runs on one core."""
    x = torch.rand((args.batch, 1, *args.corruption_size), device=args.device)
    found = []
    for name, (corruption, procedure, crops, target) in CASES.items():
        sample, apply, reference = _seconds(corruption, procedure, crops, x, args)
        note = f"sampling {100 * sample / (sample + apply):.0f} %"
        found.append(compared(GROUP, name, 1 / (sample + apply), "crops/s", 1 / reference, target=target, note=note))
    return found + _shuffles(args) + ([] if args.device == "cpu" else _agreement(args))


def _seconds(
    corruption: Corruption, procedure: Procedure, crops: int, x: torch.Tensor, args: argparse.Namespace
) -> tuple[float, float, float]:
    """Return the seconds per crop of drawing parameters, of applying them, and of the reference.

    All are given the same random numbers every time, because the share of shuffled crops varies.
    """
    generator = torch.Generator(args.device)
    drawn = [corruption.sample(x.shape, generator.manual_seed(seed)) for seed in range(CALLS)]
    crop = x[0, 0].cpu().numpy().astype(np.float64)

    def sample() -> None:
        for seed in range(CALLS):
            corruption.sample(x.shape, generator.manual_seed(seed))

    def apply() -> None:
        for params in drawn:
            corruption.apply(x, params)

    def reference() -> None:
        rng = np.random.default_rng(0)
        for _ in range(crops):
            procedure(crop, rng)

    works = {"sample": sample, "apply": apply, "reference": reference}
    seconds = best_seconds(works, args.repeats, args.device)
    batches = CALLS * len(x)
    return seconds["sample"] / batches, seconds["apply"] / batches, seconds["reference"] / crops


def displacements(mode: str, size: tuple[int, ...], crops: int) -> tuple[float, list[torch.Tensor]]:
    """Measure the share of voxels moved and, per axis, the histogram of displacements."""
    index = LocalShuffle(1.0, mode=mode).sample((crops, 1, *size), torch.Generator().manual_seed(0))["index"].long()
    own = torch.arange(index.shape[1])
    histograms = []
    for source, here, length in zip(
        torch.unravel_index(index, size), torch.unravel_index(own, size), size, strict=True
    ):
        reach = length // 10
        histograms.append(
            torch.histc((source - here).float(), 2 * reach + 1, -reach - 0.5, reach + 0.5) / index.numel()
        )
    return float((index != own).float().mean()), histograms


def _shuffles(args: argparse.Namespace) -> list[Row]:
    """Say how far the tiled shuffle is from the exact one."""
    (moved_tiled, tiled), (moved_exact, exact) = (
        displacements(mode, tuple(args.corruption_size), args.crops) for mode in ("tiled", "exact")
    )
    variation = [50 * float((a - b).abs().sum()) for a, b in zip(tiled, exact, strict=True)]
    axes = ", ".join(f"{value:.1f}" for value in variation)
    note = f"tiled {100 * moved_tiled:.1f} %, exact {100 * moved_exact:.1f} %"
    return [
        limited(GROUP, "Voxels moved, tiled against exact", 100 * abs(moved_tiled - moved_exact), "%", 2, note),
        limited(
            GROUP, "Displacements, total variation", max(variation), "%", 2, f"tiled against exact; per axis {axes} %"
        ),
    ]


def _agreement(args: argparse.Namespace) -> list[Row]:
    """Compare what the device and the CPU make of the same batch and parameters."""
    x = torch.rand((args.batch, 1, *args.corruption_size), generator=torch.Generator().manual_seed(0))
    found = []
    for name, (corruption, *_) in CASES.items():
        params = corruption.sample(x.shape, torch.Generator().manual_seed(0))
        there = corruption.apply(x.to(args.device), {key: value.to(args.device) for key, value in params.items()})
        largest = float((there.cpu() - corruption.apply(x, params)).abs().max())
        found.append(limited(GROUP, f"{name}, largest difference to the CPU", largest, "", 1e-4))
    return found
