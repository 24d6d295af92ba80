"""How much each class weighs in a loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch


def class_weights(
    records: Sequence[Mapping[str, Any]], num_classes: int, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Return weights (C) that make up for rare classes.

    They are negatives / positives of each class where an image may have several, the ``pos_weight`` of
    ``torch.nn.BCEWithLogitsLoss``, in proportion to the weights of Rajpurkar et al. (CheXNet, 2017); and N / (C n) for
    n of N images where each has one class, the ``weight`` of ``torch.nn.CrossEntropyLoss``. A class that all or none of
    the images have gets 1.

    Args:
        records: training records with class labels.
        num_classes: C.
        device: where they go.
    """
    labels = torch.tensor([record["label"] for record in records])
    if labels.dim() == 1:
        counts = torch.bincount(labels, minlength=num_classes).float()
        weights = len(labels) / (num_classes * counts)
    else:
        counts = labels.sum(0).float()
        weights = (len(labels) - counts) / counts
    return torch.where((counts > 0) & (counts < len(labels)), weights, torch.ones(num_classes)).to(device)
