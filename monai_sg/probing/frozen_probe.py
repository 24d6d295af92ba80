"""How well frozen features tell labelled boxes, beside answers that need no pre-training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_avg_pool3d
from torch.optim.swa_utils import update_bn

from ..data.boxes.batches import Batch, box_batches
from ..data.boxes.box import Box
from ..data.boxes.labelled_boxes import LabelledBoxes
from ..data.cache.volume_cache import VolumeCache
from ..data.intensity import IntensityRange, checked_range
from ..discovery.features import extract_features, global_average
from ..networks.contract import Network
from ..networks.initial_weights import draw_initial_weights
from ..utils.errors import UserError
from ..utils.seeds import seed_for

NEIGHBOURS = 5
BATCH_SIZE = 8
PIXELS = (8, 8, 4)

Features = NDArray[np.float32]
Extractor = Callable[[Tensor], Tensor]
FeatureSets = tuple[dict[str, Features], list[Box]]


@dataclass(frozen=True)
class Scores:
    """What two classifiers on some features reach on the test boxes.

    Balanced accuracy is the mean recall of the classes, ``auc`` the mean over classes of the area under the ROC curve
    of the class against the others; both of the classes among the test boxes, in [0, 1].
    """

    knn_accuracy: float
    knn_auc: float
    linear_accuracy: float
    linear_auc: float


def linear_model() -> Pipeline:
    """Make a logistic regression on standardised features, in which all classes weigh the same."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, class_weight="balanced"))


def scores_of(features: Features, labels: NDArray[np.int64], test: Features, test_labels: NDArray[np.int64]) -> Scores:
    """Train two classifiers and measure them.

    The classifiers are the 5 nearest neighbours by Euclidean distance and a logistic regression, both on features
    standardised to mean 0 and variance 1 over the training boxes.

    Args:
        features: training boxes (N, D).
        labels: their classes (N).
        test: test boxes (M, D).
        test_labels: their classes (M).
    """
    neighbours = KNeighborsClassifier(min(NEIGHBOURS, len(features)))
    values: list[float] = []
    for model in (make_pipeline(StandardScaler(), neighbours), linear_model()):
        model.fit(features, labels)
        values += [balanced_accuracy(model.predict(test), test_labels), _auc(model, test, test_labels)]
    return Scores(*values)


def balanced_accuracy(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Return the mean recall of the classes in ``labels``, in [0, 1]."""
    return float(recall_score(labels, predicted, labels=np.unique(labels), average="macro"))


def _auc(model: Pipeline, test: Features, labels: NDArray[np.int64]) -> float:
    """Return the mean area under the ROC curve of each class in ``labels`` against the others."""
    given = dict(zip(model.classes_.tolist(), model.predict_proba(test).T, strict=True))
    unseen = np.zeros(len(test))
    classes = np.unique(labels).tolist()
    return float(np.mean([roc_auc_score(labels == label, given.get(label, unseen)) for label in classes]))


def histograms(images: Tensor, bins: int = 32) -> Tensor:
    """Return the shares (B, bins) of an image's voxels in equal intervals of [0, 1]."""
    index = (images.flatten(1).clamp(0, 1) * bins).long().clamp(max=bins - 1)
    counts = torch.zeros(len(images), bins).scatter_add_(1, index, torch.ones(index.shape))
    return counts / index.shape[1]


def block_means(images: Tensor) -> Tensor:
    """Return the voxels of images (B, C, *spatial) averaged to 8x8x4, or 8x8 for 2D, as rows (B, D)."""
    if images.dim() == 4:
        return adaptive_avg_pool2d(images, PIXELS[:2]).flatten(1)
    return adaptive_avg_pool3d(images, PIXELS).flatten(1)


def pooled_features(network: Network, images: Tensor, batch_size: int = 64) -> Features:
    """Return the global averages of the feature maps of all encoder levels, ``(N, sum of channels)``."""
    batches = (([0] * len(batch), batch) for batch in images.split(batch_size))
    return extract_features(network, batches, next(network.parameters()).device).features.numpy()


def positions(items: Sequence[Box], cache: VolumeCache) -> Features:
    """Return the centres of boxes relative to the image and to the body box, both from 0 to 1, as rows (N, 2 d)."""
    rows = []
    for item in items:
        entry, body = cache.entry(item["id"]), np.asarray(cache.entry(item["id"]).body_box, dtype=np.float64)
        centre = np.mean(np.asarray(item["box"], dtype=np.float64), axis=1)
        rows.append(np.concatenate([centre / entry.shape, (centre - body[:, 0]) / (body[:, 1] - body[:, 0])]))
    return np.asarray(rows, dtype=np.float32)


def randomised(network: Network, seed: int) -> Network:
    """Return a copy of a network with initial weights; the global generator stays as it is."""
    device = next(network.parameters()).device
    copied = copy.deepcopy(network).to("cpu")
    draw_initial_weights(copied, seed_for(seed, "random network"))
    copied.to(device)
    return copied


def _compare(training: FeatureSets, test: FeatureSets) -> dict[str, Scores]:
    """Return the scores of each kind of features."""
    labels, test_labels = (
        np.asarray([item["label"] for item in items], dtype=np.int64) for _, items in (training, test)
    )
    return {name: scores_of(values, labels, test[0][name], test_labels) for name, values in training[0].items()}


class _Encoder(torch.nn.Module):
    """The encoder of a network as a module that gives one row per image."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return global_average(self.network.forward_features(images))


class FrozenProbe:
    """Scores of the pooled features of all encoder levels on labelled boxes, and of features that need no training.

    Networks are copied, never changed, and no global random generator is used, so that a training may be probed at any
    time. The running statistics of batch norm are estimated anew on the training boxes, in a trained network as in a
    random one; as these depend on the batches, their size is fixed. Boxes are read batch by batch; only their
    features are kept.

    Args:
        cache: the images.
        boxes: labelled boxes or whole images.
        size: voxels that each is resized to.
        intensity_range: physical values that become 0 and 1, or a window per image.
        seed: of the random network.
        progress: whether to show bars.

    Raises:
        ValueError: training or test boxes are absent or of one class only.
    """

    def __init__(
        self,
        cache: VolumeCache,
        boxes: LabelledBoxes,
        size: Sequence[int],
        intensity_range: IntensityRange,
        seed: int = 0,
        progress: bool = False,
    ) -> None:
        boxes.check_classes()
        self.cache, self.boxes, self.size = cache, boxes, tuple(size)
        self.intensity_range = checked_range(intensity_range)
        self.seed, self.progress = seed, progress

    def network_scores(self, network: Network) -> Scores:
        """Return the scores of a network's features."""
        extractors = {"network": self._encoder(network)}
        return _compare(*(self._features(items, extractors) for items in self._splits))["network"]

    def baselines(self, network: Network) -> dict[str, Scores]:
        """Return the scores of what needs no pre-training, among it a random network shaped like ``network``."""
        extractors: dict[str, Extractor] = {
            "random network": self._encoder(randomised(network, self.seed)),
            "intensity histogram": histograms,
            "small pixels": block_means,
        }
        splits = [self._features(items, extractors) for items in self._splits]
        for features, items in splits:
            if not self.boxes.of_whole_images:
                features["position"] = positions(items, self.cache)
                features["position + intensity"] = np.hstack([features["position"], features["intensity histogram"]])
        chance = 1 / len({item["label"] for item in self.boxes.test})
        return {**_compare(*splits), "majority class": Scores(chance, 0.5, chance, 0.5)}

    @property
    def _splits(self) -> tuple[Sequence[Box], Sequence[Box]]:
        return self.boxes.training, self.boxes.test

    def _features(self, items: Sequence[Box], extractors: Mapping[str, Extractor]) -> FeatureSets:
        """Read boxes once and return features of several kinds, and the boxes that could be read."""
        rows: list[int] = []
        parts: dict[str, list[Tensor]] = {name: [] for name in extractors}
        for numbers, images in self._read(items, "Extracting features"):
            rows.extend(numbers)
            for name, extractor in extractors.items():
                parts[name].append(extractor(images))
        if not rows:
            raise UserError(f"None of {len(items)} labelled boxes could be read; the log names the reasons.")
        features = {name: torch.cat(part).numpy() for name, part in parts.items()}
        for name, values in features.items():
            if not np.isfinite(values).all():
                raise UserError(
                    f"The features of the {name} are not finite; give weights that were trained to the end."
                )
        return features, [items[row] for row in rows]

    def _encoder(self, network: Network) -> Extractor:
        """Return a function from images to features: a copy of ``network`` with batch norm of the training boxes."""
        encoder = _Encoder(copy.deepcopy(network))
        device = next(encoder.parameters()).device
        update_bn((images for _, images in self._read(self.boxes.training, "Adapting batch norm")), encoder, device)
        encoder.eval()

        @torch.no_grad()
        def run(images: Tensor) -> Tensor:
            features: Tensor = encoder(images.to(device))
            return features.cpu()

        return run

    def _read(self, items: Sequence[Box], description: str) -> Iterator[Batch]:
        text = description if self.progress else None
        return box_batches(self.cache, items, self.size, self.intensity_range, BATCH_SIZE, text)
