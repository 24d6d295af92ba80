"""How far answers that need no pre-training tell the pseudo labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from ..probing.frozen_probe import balanced_accuracy, linear_model

Labelled = tuple[torch.Tensor, torch.Tensor]


def collect(batches: Iterable[Mapping[str, Any]]) -> Labelled:
    """Return all crops ``(N, C, *spatial)`` and pseudo labels ``(N,)`` of a data loader."""
    images, labels = zip(*((batch["image"], batch["label"]) for batch in batches), strict=True)
    return torch.cat(images), torch.cat(labels)


def linear_accuracy(
    features: np.ndarray, labels: torch.Tensor, test_features: np.ndarray, test_labels: torch.Tensor
) -> float:
    """Return the balanced accuracy, in [0, 1], of a logistic regression on standardised features."""
    model = linear_model().fit(features, labels.numpy())
    return balanced_accuracy(model.predict(test_features), test_labels.numpy())
