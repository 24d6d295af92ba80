"""Overlap of predicted and true segmentations: per case, and over all voxels of all cases."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from itertools import product
from typing import Any

import torch
from ignite.exceptions import NotComputableError
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from monai.transforms import MapTransform

THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
MEASURES = ("iou_fg@0.5", "dice@0.5", "mean_iou_bg_multithr")
REDUCTIONS = ("case", "pooled")


def overlap_counts(probability: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Count voxels by their label and by the number of `THRESHOLDS` that their probability reaches.

    Args:
        probability: any shape, in [0, 1]; a threshold is reached from its own value on.
        label: the same shape, 0 or 1.

    Returns:
        int64 ``(2, 11)``; row 1 holds the foreground. All measures of overlap follow from it, and counts of several
        cases add up to those of all their voxels.

    Raises:
        ValueError: the shapes differ.
    """
    if probability.shape != label.shape:
        raise ValueError(
            f"A prediction of shape {tuple(probability.shape)} cannot be compared with a label of shape "
            f"{tuple(label.shape)}; bring both to the same grid first."
        )
    edges = torch.tensor(THRESHOLDS, dtype=torch.float32, device=probability.device)
    reached = torch.bucketize(probability.float().flatten(), edges, right=True)
    index = reached + (label.flatten() > 0) * (len(THRESHOLDS) + 1)
    return torch.bincount(index, minlength=2 * (len(THRESHOLDS) + 1)).reshape(2, -1)


def overlap_measures(counts: torch.Tensor) -> dict[str, float]:
    r"""Work out the three measures of overlap from `overlap_counts`.

    ``iou_fg@0.5`` is :math:`TP / (TP + FP + FN)` at the threshold 0.5; ``dice@0.5`` is :math:`2 TP / (2 TP + FP + FN)`;
    ``mean_iou_bg_multithr`` is the mean over the thresholds 0.50, 0.55 ... 0.95 of the mean IoU of foreground and
    background, the one that Models Genesis and Semantic Genesis report as IoU. A measure that is 0 / 0, such as the
    foreground's where neither label nor prediction has any, is NaN.

    Args:
        counts: ``(2, 11)``.
    """
    above = counts.double().flip(-1).cumsum(-1).flip(-1)[:, 1:]
    total = counts.double().sum(-1, keepdim=True)
    (false_positive, true_positive), (true_negative, false_negative) = above, total - above
    wrong = false_positive + false_negative
    foreground, background = true_positive / (true_positive + wrong), true_negative / (true_negative + wrong)
    values = (
        foreground[0],
        (2 * true_positive / (2 * true_positive + wrong))[0],
        ((foreground + background) / 2).mean(),
    )
    return {name: float(value) for name, value in zip(MEASURES, values, strict=True)}


def soft_dice_loss(probability: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`1 - (2 \sum p g + 1) / (\sum p + \sum g + 1)` over all voxels (Models Genesis, MedIA 2021)."""
    p, g = probability.double().flatten(), label.double().flatten()
    return 1 - (2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1)


class MeasureOverlapd(MapTransform):
    """Add what the metrics need of a prediction and its label: ``overlap`` counts and ``loss``.

    ``{"pred": probability (1, *spatial), "label": (1, *spatial)}`` gets ``overlap`` (`overlap_counts`) and ``loss``
    (`soft_dice_loss`), so that no metric keeps whole volumes.

    Args:
        keys: the prediction and the label.
    """

    def __init__(self, keys: tuple[str, str] = ("pred", "label")) -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the dictionary with counts and loss."""
        probability, label = (torch.as_tensor(data[key]).as_subclass(torch.Tensor) for key in self.keys)
        label = label.to(probability.device)
        return {**data, "overlap": overlap_counts(probability, label), "loss": soft_dice_loss(probability, label)}


class Overlap(Metric):
    """One measure of overlap, or the loss, over the cases of a validation.

    Args:
        measure: ``loss`` or one of `MEASURES`.
        reduction: ``case`` is the mean over the cases for which it is defined; ``pooled`` comes from the voxels of all
            cases together.

    Raises:
        ValueError: measure or reduction is unknown.
    """

    def __init__(self, measure: str, reduction: str = "case") -> None:
        if (measure, reduction) not in [("loss", "case"), *product(MEASURES, REDUCTIONS)]:
            raise ValueError(
                f"There is no {measure!r} per {reduction!r}; take loss per case, or one of {MEASURES} per {REDUCTIONS}."
            )
        self.measure = measure
        self.reduction = reduction
        super().__init__()

    @reinit__is_reduced
    def reset(self) -> None:
        """Forget all cases."""
        self._counts: Any = torch.zeros(2, len(THRESHOLDS) + 1, dtype=torch.int64)
        self._sum: Any = 0.0
        self._cases = 0

    @reinit__is_reduced
    def update(self, output: list[dict[str, Any]]) -> None:
        """Add the cases of a batch, which `MeasureOverlapd` has measured."""
        for case in output:
            self._counts = self._counts.to(case["overlap"].device) + case["overlap"]
            value = float(case["loss"] if self.measure == "loss" else overlap_measures(case["overlap"])[self.measure])
            if value == value:
                self._sum += value
                self._cases += 1

    @sync_all_reduce("_sum", "_cases", "_counts")
    def compute(self) -> float:
        """Return the value, NaN if it is defined for none of the cases; raises ``NotComputableError`` without cases."""
        if int(self._counts.sum()) == 0:
            raise NotComputableError(f"No case was seen, so {self.measure} has no value.")
        if self.reduction == "pooled":
            return overlap_measures(self._counts)[self.measure]
        return self._sum / self._cases if self._cases else math.nan
