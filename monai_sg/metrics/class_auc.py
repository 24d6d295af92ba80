"""How well classes are told apart, whatever the threshold."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence
from math import nan
from statistics import fmean
from typing import Any

import numpy as np
import torch
from ignite.exceptions import NotComputableError
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced
from monai.metrics import compute_roc_auc
from monai.transforms import MapTransform
from torch.nn.functional import binary_cross_entropy, nll_loss, one_hot

from ..utils.distributed import gathered

logger = logging.getLogger(__name__)

TINY = 1e-38

Case = tuple[torch.Tensor, torch.Tensor, float]


def class_aucs(probability: torch.Tensor, label: torch.Tensor, classes: Sequence[str]) -> dict[str, float]:
    """Work out the area under the ROC curve of each class against the rest, and their mean.

    Args:
        probability: ``(N, C)``.
        label: ``(N, C)``, 0 or 1.
        classes: names of the C classes.

    Returns:
        ``auc_<class>`` of each class that has positives and negatives, and ``auc``, their mean, NaN if there is none.

    Raises:
        ValueError: the shapes differ, or there are more or fewer classes.
    """
    if probability.shape != label.shape or probability.shape[1] != len(classes):
        raise ValueError(
            f"{tuple(probability.shape)} probabilities cannot be compared with {tuple(label.shape)} labels of "
            f"{len(classes)} classes; give one column per class."
        )
    known = told_apart(label)
    aucs: Any = compute_roc_auc(probability[:, known], label[:, known], average="none") if known else []
    values = np.atleast_1d(np.asarray(aucs, dtype=float)).tolist()
    return {
        "auc": fmean(values) if values else nan,
        **{f"auc_{classes[column]}": value for column, value in zip(known, values, strict=True)},
    }


def told_apart(label: torch.Tensor) -> list[int]:
    """Return the columns of ``(N, C)`` labels that hold both a 0 and a 1."""
    positives = (label > 0).sum(0)
    return [column for column, count in enumerate(positives.tolist()) if 0 < count < len(label)]


class MeasureClassesd(MapTransform):
    """Add what the metrics need of a prediction and its label.

    ``{"pred": probabilities (C,), "label": a class, or (C,) of 0 and 1, "id"}`` gets ``label`` as ``(C,)``; ``loss``,
    the cross-entropy of the class, or the mean of those of C decisions; and ``case``, the id.

    Args:
        keys: the prediction and the label.
    """

    def __init__(self, keys: tuple[str, str] = ("pred", "label")) -> None:
        super().__init__(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the dictionary with its label as numbers 0 and 1, loss and case."""
        probability, label = (torch.as_tensor(data[key]).as_subclass(torch.Tensor) for key in self.keys)
        label = label.to(probability.device)
        if label.dim() == 0:
            loss = nll_loss(probability.float().clamp_min(TINY).log(), label.long())
            label = one_hot(label.long(), len(probability))
        else:
            loss = binary_cross_entropy(probability.float(), label.float())
        return {**data, self.keys[1]: label, "loss": loss, "case": data["id"]}


class ClassAUC(Metric):
    """The areas under the ROC curves of a validation, and its loss, as one mapping, which ignite spreads.

    ``auc`` is the mean over the classes, ``auc_<class>`` each one's; a class that all or none of the images have is
    named in the log and left out of the mean. ``loss`` is the mean over the images. An image that several ranks have
    seen counts once.

    Args:
        classes: names of the classes, in the order of the columns.
    """

    def __init__(self, classes: Iterable[str]) -> None:
        self.classes = list(classes)
        self._named: list[str] = []
        super().__init__(metrics_result_mode="flatten")

    @reinit__is_reduced
    def reset(self) -> None:
        """Forget all images."""
        self._cases: dict[str, Case] = {}

    @reinit__is_reduced
    def update(self, output: list[dict[str, Any]]) -> None:
        """Add the images of a batch, which `MeasureClassesd` has measured."""
        for case in output:
            self._cases[case["case"]] = case["pred"].detach().cpu().float(), case["label"].cpu(), float(case["loss"])

    def compute(self) -> dict[str, float]:
        """Return name to value; raises ``NotComputableError`` without images."""
        cases = {name: case for part in gathered(self._cases) for name, case in part.items()}
        if not cases:
            raise NotComputableError("No image was seen, so there is no area under the ROC curve.")
        probabilities, labels, losses = zip(*(cases[name] for name in sorted(cases)), strict=True)
        values = class_aucs(torch.stack(probabilities), torch.stack(labels), self.classes)
        self._name_left_out([name for name in self.classes if f"auc_{name}" not in values], len(cases))
        return {"loss": fmean(losses), **values}

    def _name_left_out(self, classes: list[str], images: int) -> None:
        if classes and classes != self._named:
            logger.warning(
                f"{', '.join(classes)}: all or none of the {images} images have it, so there is no area under the ROC "
                "curve; the mean is over the other classes."
            )
        self._named = classes
