from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch

from monai_sg.data.boxes.box import Box
from monai_sg.data.boxes.labelled_boxes import LabelledBoxes
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.probing.frozen_probe import (
    FrozenProbe,
    balanced_accuracy,
    block_means,
    histograms,
    pooled_features,
    positions,
    randomised,
    scores_of,
)

MakeCache = Callable[..., VolumeCache]
HU = (-1000.0, 1000.0)


def test_histogram_of_a_known_crop() -> None:
    image = torch.tensor([[[[0.0, 0.1], [0.6, 1.0]]]])
    torch.testing.assert_close(histograms(image, bins=4), torch.tensor([[0.5, 0.0, 0.25, 0.25]]))


def test_pooled_features_are_the_means_of_all_levels() -> None:
    network = GenesisUNet(spatial_dims=2, width=4).eval()
    images = torch.rand(5, 1, 16, 16)
    features = pooled_features(network, images, batch_size=2)
    assert features.shape == (5, 8 + 16 + 32 + 64)
    with torch.no_grad():
        expected = network.forward_features(images)[1].mean((2, 3)).numpy()
    np.testing.assert_allclose(features[:, 8:24], expected, rtol=1e-4, atol=1e-5)


def test_block_means_of_a_known_image() -> None:
    image = torch.arange(16 * 16.0).reshape(1, 1, 16, 16)
    assert block_means(image).shape == (1, 64)
    assert block_means(image)[0, 0] == (0 + 1 + 16 + 17) / 4
    assert block_means(torch.rand(3, 1, 16, 8, 8)).shape == (3, 8 * 8 * 4)


def test_positions_are_relative_to_image_and_body(make_cache: MakeCache) -> None:
    cache = make_cache([(20, 20, 10)])
    (left, right), (front, back), _ = cache.entry("scan000").body_box
    box = [[left, left + 4], [back - 4, back], [3, 7]]
    expected = [(left + 2) / 20, (back - 2) / 20, 0.5, 2 / (right - left), 1 - 2 / (back - front), 0.5]
    np.testing.assert_allclose(positions([Box(id="scan000", label=0, box=box)], cache), [expected], rtol=1e-6)


def test_a_random_copy_leaves_network_and_generators_alone() -> None:
    network = GenesisUNet(spatial_dims=2, width=2)
    weights, state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    one, same, other = randomised(network, 0), randomised(network, 0), randomised(network, 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    key = "encoder.1.0.conv.weight"
    assert torch.equal(one.state_dict()[key], same.state_dict()[key])
    assert not torch.equal(one.state_dict()[key], other.state_dict()[key])
    assert not torch.equal(one.state_dict()[key], weights[key])


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_are_there() -> None:
    assert balanced_accuracy(np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1])) == 0.5
    assert balanced_accuracy(np.array([0, 2, 1]), np.array([0, 0, 1])) == 0.75


def test_scores_of_known_features() -> None:
    labels, test_labels = np.repeat([0, 1, 2], 6), np.repeat([0, 1, 2], 2)
    perfect = scores_of(np.eye(3)[labels], labels, np.eye(3)[test_labels], test_labels)
    assert perfect == type(perfect)(1.0, 1.0, 1.0, 1.0)
    nothing = scores_of(np.zeros((18, 3)), labels, np.zeros((6, 3)), test_labels)
    assert nothing == type(nothing)(*[pytest.approx(value) for value in (1 / 3, 0.5, 1 / 3, 0.5)])


def test_scale_of_a_feature_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    labels, test_labels = rng.integers(0, 2, 40), rng.integers(0, 2, 20)
    features, test = rng.normal(size=(40, 3)), rng.normal(size=(20, 3))
    scale = np.array([1.0, 1000.0, 0.001])
    one = scores_of(features, labels, test, test_labels)
    other = scores_of(features * scale, labels, test * scale, test_labels)
    assert one.knn_accuracy == other.knn_accuracy
    assert one.linear_auc == pytest.approx(other.linear_auc)


def test_a_class_that_training_lacks_counts_as_not_told() -> None:
    scores = scores_of(np.array([[0.0], [1.0]] * 5), np.array([0, 1] * 5), np.array([[0.0], [1.0]]), np.array([0, 2]))
    assert scores.knn_accuracy == 0.5
    assert scores.knn_auc == pytest.approx(0.75)


@pytest.fixture(params=[2, 3])
def cache(request: pytest.FixtureRequest, make_cache: MakeCache) -> VolumeCache:
    return make_cache([(32, 32, 16)[: request.param]] * 4)


def boxes_of(cache: VolumeCache) -> LabelledBoxes:
    """Lay boxes in the lung and at the corner of each image: a histogram tells them apart."""
    num_axes = len(cache.shapes[0])
    corner, lung = [[0, 8]] * num_axes, [[[7, 15], [12, 20], [0, 8]][axis] for axis in range(num_axes)]
    found = [(Box(id=name, label=0, box=corner), Box(id=name, label=1, box=lung)) for name in cache.ids]
    return LabelledBoxes(("corner", "lung"), (*found[0], *found[1], *found[2]), found[3])


def test_baselines_stand_beside_the_network(cache: VolumeCache) -> None:
    probe = FrozenProbe(cache, boxes_of(cache), (16,) * len(cache.shapes[0]), HU)
    scores = probe.baselines(GenesisUNet(len(cache.shapes[0]), width=2))
    assert set(scores) == {
        "random network",
        "intensity histogram",
        "small pixels",
        "position",
        "position + intensity",
        "majority class",
    }
    assert scores["position"].linear_accuracy == scores["intensity histogram"].linear_auc == 1.0
    assert scores["majority class"].knn_accuracy == 0.5


def test_probing_changes_neither_network_nor_generators(cache: VolumeCache) -> None:
    network = GenesisUNet(len(cache.shapes[0]), width=2).train()
    network.encoder[1].eval()
    weights, modes = copy.deepcopy(network.state_dict()), [module.training for module in network.modules()]
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    probe = FrozenProbe(cache, boxes_of(cache), (16,) * len(cache.shapes[0]), HU)
    probe.baselines(network)
    assert probe.network_scores(network) == probe.network_scores(network)
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


def test_running_statistics_of_other_images_do_not_matter(
    make_cache: MakeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, seen = make_cache([(32, 32, 16)] * 4), []
    network = GenesisUNet(3, width=2)
    probe = FrozenProbe(cache, boxes_of(cache), (16, 16, 16), HU)

    def keep(features: np.ndarray, *_: np.ndarray) -> None:
        seen.append(features)

    monkeypatch.setattr("monai_sg.probing.frozen_probe.scores_of", keep)
    probe.network_scores(network)
    for name, buffer in network.named_buffers():
        if "running" in name:
            buffer.fill_(7.0)
    probe.network_scores(network)
    np.testing.assert_array_equal(*seen)


def test_whole_images_have_no_position(cache: VolumeCache) -> None:
    items = [Box(id=name, label=number % 2, box=None) for number, name in enumerate(cache.ids)]
    boxes = LabelledBoxes(("a", "b"), tuple(items[:2]), tuple(items[2:]))
    probe = FrozenProbe(cache, boxes, (16,) * len(cache.shapes[0]), HU)
    assert not any("position" in name for name in probe.baselines(GenesisUNet(len(cache.shapes[0]), width=2)))


def test_an_unreadable_box_is_left_out_with_its_label(make_cache: MakeCache) -> None:
    cache = make_cache([(32, 32, 16)] * 4)
    (cache.cache_dir / "arrays" / "scan001.npy").write_bytes(b"cut off")
    probe = FrozenProbe(cache, boxes_of(cache), (16, 16, 16), HU)
    assert probe.baselines(GenesisUNet(3, width=2))["intensity histogram"].linear_accuracy == 1.0
    for path in (cache.cache_dir / "arrays").iterdir():
        path.write_bytes(b"cut off")
    with pytest.raises(ValueError, match="None of"):
        probe.network_scores(GenesisUNet(3, width=2))


def test_broken_weights_are_named(make_cache: MakeCache) -> None:
    cache = make_cache([(32, 32, 16)] * 4)
    network = GenesisUNet(3, width=2)
    torch.nn.init.constant_(network.get_parameter("encoder.3.1.conv.weight"), float("nan"))
    with pytest.raises(ValueError, match="features of the network are not finite"):
        FrozenProbe(cache, boxes_of(cache), (16, 16, 16), HU).network_scores(network)


def test_one_class_only_is_refused(make_cache: MakeCache) -> None:
    cache = make_cache([(32, 32, 16)] * 2)
    boxes = LabelledBoxes(("a", "b"), (Box(id="scan000", label=0, box=None),), (Box(id="scan001", label=1, box=None),))
    with pytest.raises(ValueError, match="at least two classes"):
        FrozenProbe(cache, boxes, (16, 16, 16), HU)
