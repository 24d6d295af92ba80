"""Overlap of predicted and true segmentations: per case, and over all voxels of all cases."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import torch
from ignite.exceptions import NotComputableError
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced
from monai.transforms import MapTransform

from ..utils.distributed import gathered

THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
MEASURES = ("iou_fg@0.5", "dice@0.5", "mean_iou_bg_multithr")
POOLED = "pooled"
UNLIKE = "A prediction of shape {} cannot be compared with a label of shape {}; bring both to the same grid first."


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
        raise ValueError(UNLIKE.format(tuple(probability.shape), tuple(label.shape)))
    edges = torch.tensor(THRESHOLDS, dtype=torch.float32, device=probability.device)
    reached = torch.bucketize(probability.float().flatten(), edges, right=True)
    index = reached + (label.flatten() > 0) * (len(THRESHOLDS) + 1)
    return torch.bincount(index, minlength=2 * (len(THRESHOLDS) + 1)).reshape(2, -1)


def overlap_measures(counts: torch.Tensor) -> dict[str, float]:
    r"""Work out the three measures of overlap from `overlap_counts`.

    ``iou_fg@0.5`` is :math:`TP / (TP + FP + FN)` at the threshold 0.5; ``dice@0.5`` is :math:`2 TP / (2 TP + FP + FN)`;
    ``mean_iou_bg_multithr`` is the mean over the thresholds 0.50, 0.55 ... 0.95 of the mean IoU of foreground and
    background, the one that Models Genesis and Semantic Genesis report as IoU. Where the label has no foreground there
    is nothing to overlap with, so all three are NaN, whatever was predicted.

    Args:
        counts: ``(2, 11)``.
    """
    if not counts[1].any():
        return dict.fromkeys(MEASURES, math.nan)
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


def known_mean(values: Iterable[float]) -> float:
    """Return the mean of the values that are numbers, whatever their order; NaN if none is."""
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def structure_measures(counts: torch.Tensor, structures: Sequence[str]) -> dict[str, float]:
    """Work out the measures of several structures: ``<measure>`` is their mean, ``<measure>_<structure>`` each one's.

    Args:
        counts: ``(structures, 2, 11)`` of `overlap_counts`.
        structures: their names; of a single one there is only ``<measure>``.

    Raises:
        ValueError: there are more or fewer names than structures.
    """
    if len(counts) != len(structures):
        raise ValueError(f"{len(counts)} structures were predicted, but {len(structures)} are named: {structures}.")
    each = {name: overlap_measures(count) for name, count in zip(structures, counts, strict=True)}
    means = {measure: known_mean(values[measure] for values in each.values()) for measure in MEASURES}
    if len(each) == 1:
        return means
    return means | {f"{measure}_{name}": values[measure] for name, values in each.items() for measure in MEASURES}


def soft_dice_loss(probability: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`1 - (2 \sum p g + 1) / (\sum p + \sum g + 1)` over all voxels (Models Genesis, MedIA 2021)."""
    p, g = probability.double().flatten(), label.double().flatten()
    return 1 - (2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1)


class MeasureOverlapd(MapTransform):
    """Add what the metrics need of a prediction and its label, so that none of them keeps whole volumes.

    ``{"pred": probability (C, *spatial), "label": (C, *spatial), "id"}`` of C structures gets ``overlap``, the counts
    ``(C, 2, 11)``; ``loss``, the mean of their `soft_dice_loss`; and ``case``, the id.

    Args:
        keys: the prediction and the label.
    """

    def __init__(self, keys: tuple[str, str] = ("pred", "label")) -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the dictionary with counts, loss and case; raises ``ValueError`` if the shapes differ."""
        probability, label = (torch.as_tensor(data[key]).as_subclass(torch.Tensor) for key in self.keys)
        if probability.shape != label.shape:
            raise ValueError(UNLIKE.format(tuple(probability.shape), tuple(label.shape)))
        pairs = list(zip(probability, label.to(probability.device), strict=True))
        counts = torch.stack([overlap_counts(p, g) for p, g in pairs])
        loss = torch.stack([soft_dice_loss(p, g) for p, g in pairs]).mean()
        return {**data, "overlap": counts, "loss": loss, "case": data["id"]}


class Overlap(Metric):
    """All measures of overlap of a validation, and its loss, as one mapping, which ignite spreads over its metrics.

    ``<measure>`` is the mean over the cases for which it is defined, ``<measure>_pooled`` comes from the voxels of all
    cases together. With several structures both are means over the structures, of a case or of all, and each structure
    has its own, ``<measure>_<structure>`` and ``<measure>_<structure>_pooled``. ``loss`` is the mean over the cases. A
    case that several ranks have seen counts once, and the result does not depend on how cases are shared by ranks.

    Args:
        structures: names of the structures, in the order of the channels.
    """

    def __init__(self, structures: Iterable[str] = ("foreground",)) -> None:
        self.structures = list(structures)
        super().__init__(metrics_result_mode="flatten")

    @reinit__is_reduced
    def reset(self) -> None:
        """Forget all cases."""
        self._cases: dict[str, tuple[torch.Tensor, float]] = {}

    @reinit__is_reduced
    def update(self, output: list[dict[str, Any]]) -> None:
        """Add the cases of a batch, which `MeasureOverlapd` has measured."""
        for case in output:
            self._cases[case["case"]] = case["overlap"].cpu(), float(case["loss"])

    def compute(self) -> dict[str, float]:
        """Return name to value, NaN if it is defined for no case; raises ``NotComputableError`` without cases."""
        cases = {name: case for part in gathered(self._cases) for name, case in part.items()}
        if not cases:
            raise NotComputableError("No case was seen, so there is no overlap.")
        every = [structure_measures(counts, self.structures) for counts, _ in cases.values()]
        pooled = structure_measures(torch.stack([counts for counts, _ in cases.values()]).sum(0), self.structures)
        return {
            "loss": known_mean(loss for _, loss in cases.values()),
            **{name: known_mean(values[name] for values in every) for name in pooled},
            **{f"{name}_{POOLED}": value for name, value in pooled.items()},
        }
