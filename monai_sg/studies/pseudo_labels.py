"""How far answers that need no pre-training tell the pseudo labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..networks.blocks import EncoderDecoder

Labelled = tuple[torch.Tensor, torch.Tensor]


def collect(batches: Iterable[Mapping[str, Any]]) -> Labelled:
    """Return all crops ``(N, C, *spatial)`` and pseudo labels ``(N,)`` of a data loader."""
    images, labels = zip(*((batch["image"], batch["label"]) for batch in batches), strict=True)
    return torch.cat(images), torch.cat(labels)


def histograms(images: torch.Tensor, bins: int = 32) -> np.ndarray:
    """Return the shares ``(N, bins)`` of a crop's voxels in equal intervals of [0, 1]."""
    index = (images.flatten(1).clamp(0, 1) * bins).long().clamp(max=bins - 1)
    counts = torch.zeros(len(images), bins).scatter_add_(1, index, torch.ones(index.shape))
    return (counts / index.shape[1]).numpy()


@torch.no_grad()
def pooled_features(network: EncoderDecoder, images: torch.Tensor, batch_size: int = 64) -> np.ndarray:
    """Return the global averages of the feature maps of all encoder levels, ``(N, sum of channels)``."""
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    rows = [
        torch.cat([maps.flatten(2).mean(-1) for maps in network.forward_features(batch.to(device))], dim=1).cpu()
        for batch in images.split(batch_size)
    ]
    network.train(training)
    return torch.cat(rows).numpy()


def linear_accuracy(
    features: np.ndarray, labels: torch.Tensor, test_features: np.ndarray, test_labels: torch.Tensor
) -> float:
    """Return the balanced accuracy, in [0, 1], of a logistic regression on standardised features."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    model.fit(features, labels.numpy())
    return float(balanced_accuracy_score(test_labels.numpy(), model.predict(test_features)))
