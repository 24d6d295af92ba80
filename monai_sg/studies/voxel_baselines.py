"""Segmentations that need no network: by intensity, by position, by both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

Case = tuple[torch.Tensor, torch.Tensor]
Predict = Callable[[torch.Tensor], torch.Tensor]

THRESHOLD, POSITION, BOTH = "best threshold", "position", "position and intensity"
BASELINES = (THRESHOLD, POSITION, BOTH)
BINS = 512
VOXELS_PER_CASE = 20_000


def fit_baselines(cases: Sequence[Case], seed: int = 0) -> dict[str, Predict]:
    """Fit answers to the question where the structures are, each with less to go by than a network has.

    ``best threshold`` marks the voxels above (or below) the one intensity, in one channel, with the greatest Dice over
    all training voxels. ``position`` and ``position and intensity`` are gradient-boosted trees on a voxel's place
    relative to the image, without and with its intensities. Each structure is answered for itself.

    Args:
        cases: training images ``(C, *spatial)`` in [0, 1] and labels ``(structures, *spatial)``, 0 or 1.
        seed: of the voxels that the trees are fitted to, up to 20,000 per case, half of them foreground where there
            are as many.

    Returns:
        per name of `BASELINES` a function from an image to probabilities ``(structures, *spatial)``.
    """
    structures = range(len(cases[0][1]))
    fitted = [_fit([(image, label[index]) for image, label in cases], seed) for index in structures]
    return {name: _together([one[name] for one in fitted]) for name in BASELINES}


def _together(predictors: Sequence[Predict]) -> Predict:
    return lambda image: torch.stack([predict(image) for predict in predictors])


def _fit(cases: Sequence[Case], seed: int) -> dict[str, Predict]:
    """Return functions to probabilities ``(*spatial)`` of one structure, whose labels are ``(*spatial)``."""
    generator = np.random.default_rng(seed)
    channels = len(cases[0][0])
    samples = [_sample(image, label, generator) for image, label in cases]
    features, labels, weights = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    trees = {}
    for name, columns in {POSITION: slice(channels, None), BOTH: slice(None)}.items():
        model = HistGradientBoostingClassifier(random_state=seed, early_stopping=False)
        trees[name] = _predictor(model.fit(features[:, columns], labels, weights), columns)
    return {THRESHOLD: _best_threshold(cases), **trees}


def _best_threshold(cases: Sequence[Case]) -> Predict:
    """Mark the side of a threshold in a channel with the greatest pooled Dice, found in histograms."""
    channels = len(cases[0][0])
    counts = torch.zeros(channels, 2, BINS, dtype=torch.float64)
    for image, label in cases:
        for channel, values in enumerate(image):
            index = (values.flatten().clamp(0, 1) * BINS).long().clamp(max=BINS - 1) + (label.flatten() > 0) * BINS
            counts[channel] += torch.bincount(index, minlength=2 * BINS).reshape(2, BINS)
    above = counts.flip(2).cumsum(2).flip(2)
    total = counts.sum(2, keepdim=True)
    dice = torch.stack([2 * part[:, 1] / (part.sum(1) + total[:, 1]) for part in (above, total - above)])
    direction, rest = divmod(int(dice.argmax()), channels * BINS)
    channel, threshold = divmod(rest, BINS)
    edge = threshold / BINS
    return lambda image: ((image[channel] >= edge) if direction == 0 else (image[channel] < edge)).float()


def _features(image: torch.Tensor) -> NDArray[np.float32]:
    """Return intensities and relative coordinates in [0, 1] of every voxel, ``(voxels, C + axes)``."""
    grids = torch.meshgrid(*((torch.arange(size) + 0.5) / size for size in image.shape[1:]), indexing="ij")
    return torch.stack([column.flatten() for column in (*image.float(), *grids)], dim=1).numpy()


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
        return torch.from_numpy(probability).float().reshape(image.shape[1:])

    return predict
