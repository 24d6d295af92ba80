from __future__ import annotations

import numpy as np
import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.studies.pseudo_labels import collect, histograms, linear_accuracy, pooled_features


def test_histogram_of_a_known_crop() -> None:
    image = torch.tensor([[[[0.0, 0.1], [0.6, 1.0]]]])
    np.testing.assert_allclose(histograms(image, bins=4), [[0.5, 0.0, 0.25, 0.25]])


def test_pooled_features_are_the_means_of_all_levels() -> None:
    network = GenesisUNet(spatial_dims=2, width=4).eval()
    images = torch.rand(5, 1, 16, 16)
    features = pooled_features(network, images, batch_size=2)
    assert features.shape == (5, 8 + 16 + 32 + 64)
    with torch.no_grad():
        expected = network.forward_features(images)[1].mean((2, 3)).numpy()
    np.testing.assert_allclose(features[:, 8:24], expected, rtol=1e-4, atol=1e-5)


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
