from __future__ import annotations

import numpy as np
import torch

from monai_sg.studies.pseudo_labels import collect, linear_accuracy


def test_linear_accuracy_is_balanced() -> None:
    features = np.repeat(np.eye(2), [30, 10], axis=0)
    labels = torch.tensor([0] * 30 + [1] * 10)
    test = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert linear_accuracy(features, labels, test, torch.tensor([0, 0, 0, 1])) == 0.5


def test_collect_joins_batches() -> None:
    batches = [
        {"image": torch.zeros(2, 1, 4), "label": torch.tensor([0, 1])},
        {"image": torch.ones(1, 1, 4), "label": torch.tensor([2])},
    ]
    images, labels = collect(batches)
    assert images.shape == (3, 1, 4)
    assert labels.tolist() == [0, 1, 2]
