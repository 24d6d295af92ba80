"""Do the crops of a class show the same anatomy? Numbers and pictures of a pattern table."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.cache.volume_cache import VolumeCache
from ..data.intensity import IntensityRange
from ..data.records import PatternTable
from ..utils.errors import UserError
from ..utils.seeds import generator_for
from .frames import Frames, make_frames

logger = logging.getLogger(__name__)

Request = tuple[str, list[list[int]]]


@dataclass(frozen=True)
class PatternCorrelation:
    """Mean correlation of the crops of each class (C), beside that of the same place in random patients.

    A class whose crops cannot be compared (fewer than two, or constant) has NaN.
    """

    labels: NDArray[np.int64]
    within: NDArray[np.float64]
    random: NDArray[np.float64]

    @property
    def mean_within(self) -> float:
        """Mean over the classes of the correlation between neighbours."""
        return _mean(self.within)

    @property
    def mean_random(self) -> float:
        """Mean over the classes of the correlation between random patients."""
        return _mean(self.random)


def pattern_correlation(
    cache: VolumeCache,
    table: PatternTable,
    intensity_range: IntensityRange,
    size: Sequence[int] | None = None,
    patients: int = 16,
    ids: Sequence[str] | None = None,
    seed: int = 0,
) -> PatternCorrelation:
    """Compare the crops of each class pairwise, in its nearest patients and in as many random ones.

    "Within" takes the class's first training crops at resolution 1; "random" takes the crops at the same anchor in
    patients drawn from ``ids``, without replacement. The correlation is Pearson's over the voxels of two crops.

    Args:
        cache: the cached images.
        table: the patterns.
        intensity_range: physical values between which crops are clipped, or a window per image.
        size: voxels to which crops are read; half the crop size if ``None``.
        patients: most patients per class.
        ids: training images; ``None`` is every cached image that no validation or test box uses.
        seed: of the random patients.
    """
    size = tuple(size) if size is not None else tuple(max(1, edge // 2) for edge in table.grid["crop_size"])
    names = _training_ids(cache, table) if ids is None else ids
    frames = make_frames(cache, names, table.grid["frame"], table.grid["crop_size"], table.grid["spacing"])
    near = _exact_boxes(table, patients)
    values = []
    for requests in (near, _random_boxes(frames, table, [len(boxes) for boxes in near], seed)):
        crops = _read(cache, requests, size, intensity_range)
        values.append(np.asarray([mean_correlation(own) for own in crops]))
    result = PatternCorrelation(np.arange(table.num_classes), *values)
    logger.info(
        "Crops of a class correlate by %.2f in its neighbours and by %.2f in random patients (mean of %d classes).",
        *(result.mean_within, result.mean_random, table.num_classes),
    )
    return result


def shared_bits(table: PatternTable, patients: Mapping[str, str]) -> tuple[float, float]:
    """Return how many bits a label and its patient tell of each other in the training boxes, and the bits of a label.

    The mutual information is 0 if every patient has the boxes of every class. Where it is not, who recognises the
    patient, by the make of the scanner or a body like no other, knows something of the label without looking at the
    place.

    Args:
        table: the patterns.
        patients: id of an image -> its patient; one that is not there is a patient of its own.
    """
    pairs = Counter((row["label"], patients.get(row["id"], row["id"])) for row in table.training)
    labels, names = Counter[int](), Counter[str]()
    for (label, name), count in pairs.items():
        labels[label] += count
        names[name] += count
    bits = {key: _bits(counts.values()) for key, counts in (("label", labels), ("patient", names), ("both", pairs))}
    return max(0.0, bits["label"] + bits["patient"] - bits["both"]), bits["label"]


def sample_crops(
    cache: VolumeCache,
    table: PatternTable,
    labels: Sequence[int],
    n: int,
    intensity_range: IntensityRange | None = None,
) -> NDArray[np.float32]:
    """Return training crops at resolution 1 of some classes, nearest patients first, for a montage.

    Returns:
        (len(labels), n, *crop_size), with fewer than ``n`` if a class has fewer; in [0, 1] with an
        ``intensity_range``, in physical units without.

    Raises:
        ValueError: for a label that the table lacks.
    """
    unknown = sorted(set(labels) - set(range(table.num_classes)))
    if unknown:
        raise UserError(f"The labels {unknown} are not among the {table.num_classes} classes of the table.")
    boxes = _exact_boxes(table, n)
    count = min(len(boxes[label]) for label in labels)
    crops = _read(cache, [boxes[label][:count] for label in labels], table.grid["crop_size"], intensity_range)
    return np.stack([own.numpy() for own in crops])


def random_crops(
    cache: VolumeCache,
    table: PatternTable,
    labels: Sequence[int],
    n: int,
    ids: Sequence[str],
    seed: int = 0,
    intensity_range: IntensityRange | None = None,
) -> NDArray[np.float32]:
    """Return the crops at the anchors of some classes in random patients of ``ids``, beside `sample_crops`.

    Returns:
        (len(labels), n, *crop_size), with fewer than ``n`` if there are fewer patients; in [0, 1] with an
        ``intensity_range``, in physical units without.
    """
    frames = make_frames(cache, ids, *(table.grid[key] for key in ("frame", "crop_size", "spacing")))
    boxes = _random_boxes(frames, table, [n] * table.num_classes, seed)
    crops = _read(cache, [boxes[label] for label in labels], table.grid["crop_size"], intensity_range)
    return np.stack([own.numpy() for own in crops])


def _exact_boxes(table: PatternTable, count: int) -> list[list[Request]]:
    """Return the first ``count`` training boxes at resolution 1 of each class."""
    boxes: list[list[Request]] = [[] for _ in range(table.num_classes)]
    for row in table.training:
        if row["scale"] == 1 and len(boxes[row["label"]]) < count:
            boxes[row["label"]].append((row["id"], row["box"]))
    return boxes


def _training_ids(cache: VolumeCache, table: PatternTable) -> list[str]:
    """Return the cached images that are in no validation or test box."""
    held_out = {row["id"] for row in [*table.validation, *table.test]}
    return [name for name in cache.ids if name not in held_out]


def _random_boxes(frames: Frames, table: PatternTable, counts: Sequence[int], seed: int) -> list[list[Request]]:
    """Return, for each class, the boxes at its anchor in as many random images."""
    generator = generator_for(seed, "random patients")
    requests: list[list[Request]] = []
    for row, count in zip(table.classes, counts, strict=True):
        drawn = torch.randperm(len(frames.ids), generator=generator)[:count].numpy()
        boxes = frames.boxes([row["anchor"]], drawn)[0][0].tolist()
        requests.append([(frames.ids[index], box) for index, box in zip(drawn, boxes, strict=True)])
    return requests


def _read(
    cache: VolumeCache,
    requests: Sequence[Sequence[Request]],
    size: Sequence[int],
    intensity_range: IntensityRange | None,
) -> list[Tensor]:
    """Read boxes image by image, whatever class they belong to; return crops (n, [C,] *size) per class."""
    crops: list[dict[int, Tensor]] = [{} for _ in requests]
    order = [(name, label, place) for label, own in enumerate(requests) for place, (name, _) in enumerate(own)]
    for name, label, place in sorted(order):
        crop = torch.from_numpy(cache.read_box(name, requests[label][place][1], size))
        crops[label][place] = crop if intensity_range is None else cache.scaled(name, crop, intensity_range)
    return [torch.stack([own[place] for place in range(len(own))]) for own in crops]


def mean_correlation(crops: Tensor) -> float:
    """Return the mean of Pearson's correlation over all pairs of crops (n, *size); constant crops take no part."""
    rows = crops.flatten(1).double()
    rows = rows - rows.mean(dim=1, keepdim=True)
    norms = rows.norm(dim=1, keepdim=True)
    rows = (rows / norms)[norms[:, 0] > 0]
    count = len(rows)
    if count < 2:
        return float("nan")
    return float(((rows @ rows.T).sum() - count) / (count * (count - 1)))


def _bits(counts: Iterable[int]) -> float:
    """Return the entropy of a distribution of counts."""
    shares = np.fromiter(counts, dtype=np.float64)
    shares /= shares.sum()
    return float(-(shares * np.log2(shares)).sum())


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean of what is not NaN; NaN if nothing is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
