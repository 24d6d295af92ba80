"""Segmentations that need no network: by intensity, by position, by both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

Case = tuple[torch.Tensor, torch.Tensor]
Predict = Callable[[torch.Tensor], torch.Tensor]

BINS = 512
VOXELS_PER_CASE = 20_000


def fit_baselines(cases: Sequence[Case], seed: int = 0) -> dict[str, Predict]:
    """Fit answers to the question where the object is, each with less to go by than a network has.

    ``best threshold`` marks the voxels above (or below) the one intensity with the greatest Dice over all training
    voxels. ``position`` and ``position and intensity`` are gradient-boosted trees on a voxel's place relative to the
    image, without and with its intensity.

    Args:
        cases: training images ``(1, *spatial)`` in [0, 1] and labels ``(1, *spatial)``, 0 or 1.
        seed: of the voxels that the trees are fitted to, up to 20,000 per case, half of them foreground where there
            are as many.

    Returns:
        per name a function from an image to probabilities of the same shape.
    """
    generator = np.random.default_rng(seed)
    samples = [_sample(image, label, generator) for image, label in cases]
    features, labels, weights = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    trees = {}
    for name, columns in {"position": slice(1, None), "position and intensity": slice(None)}.items():
        model = HistGradientBoostingClassifier(random_state=seed, early_stopping=False)
        trees[name] = _predictor(model.fit(features[:, columns], labels, weights), columns)
    return {"best threshold": _best_threshold(cases), **trees}


def _best_threshold(cases: Sequence[Case]) -> Predict:
    """Return the threshold and direction of the greatest pooled Dice, found in a histogram of `BINS` intensities."""
    counts = torch.zeros(2, BINS, dtype=torch.float64)
    for image, label in cases:
        index = (image.flatten().clamp(0, 1) * BINS).long().clamp(max=BINS - 1) + (label.flatten() > 0) * BINS
        counts += torch.bincount(index, minlength=2 * BINS).reshape(2, BINS)
    above = counts.flip(1).cumsum(1).flip(1)
    below = counts.sum(1, keepdim=True) - above
    dice = torch.stack([2 * part[1] / (part.sum(0) + counts[1].sum()) for part in (above, below)])
    direction, threshold = divmod(int(dice.argmax()), BINS)
    edge = threshold / BINS
    return lambda image: ((image >= edge) if direction == 0 else (image < edge)).float()


def _features(image: torch.Tensor) -> NDArray[np.float32]:
    """Return intensity and relative coordinates in [0, 1] of every voxel, ``(voxels, 1 + axes)``."""
    shape = image.shape[1:]
    grids = torch.meshgrid(*((torch.arange(size) + 0.5) / size for size in shape), indexing="ij")
    columns = [image[0].float(), *grids]
    return torch.stack([column.flatten() for column in columns], dim=1).numpy()


def _sample(
    image: torch.Tensor, label: torch.Tensor, generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
    """Return features, labels and weights of some voxels; weights undo that foreground is drawn more often."""
    truth = (label.flatten() > 0).numpy()
    chosen, weights = [], []
    for places in (np.flatnonzero(truth), np.flatnonzero(~truth)):
        drawn = generator.permutation(places)[: VOXELS_PER_CASE // 2]
        chosen.append(drawn)
        weights.append(np.full(len(drawn), len(places) / max(1, len(drawn))))
    index = np.concatenate(chosen)
    return _features(image)[index], truth[index], np.concatenate(weights)


def _predictor(model: HistGradientBoostingClassifier, columns: slice) -> Predict:
    def predict(image: torch.Tensor) -> torch.Tensor:
        probability = model.predict_proba(_features(image)[:, columns])[:, -1]
        return torch.from_numpy(probability).float().reshape(image.shape)

    return predict
