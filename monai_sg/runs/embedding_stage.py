"""Features of a folder of images, or of labelled boxes in them, from pre-trained weights."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.boxes.box import Box
from ..data.boxes.labelled_boxes import read_labelled_boxes
from ..data.cache.volume_cache import VolumeCache
from ..data.intensity import IntensityRange, checked_range
from ..data.records import Datalist
from ..data.window_fit import check_fit
from ..discovery.features import box_features
from ..networks.contract import Network
from ..utils.distributed import barrier, rank
from ..utils.errors import UserError
from ..utils.files import write_atomic

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Features:
    """Feature vectors of images or boxes.

    Attributes:
        ids: image of each row (N).
        features: (N, D), float32.
        channels: features of each level of the encoder, shallow to deep, which sum to D.
        size: voxels that each image or box was resized to.
        boxes: (N, d, 2), voxels of the cached array, half-open; ``None`` for whole images.
        labels: class of each row (N); ``None`` without labels.
        classes: names of the classes.
    """

    ids: list[str]
    features: NDArray[np.float32]
    channels: list[int]
    size: tuple[int, ...]
    boxes: NDArray[np.int64] | None = None
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()

    def save(self, path: str | Path) -> Path:
        """Write ``ids``, ``features``, ``channels``, ``size``, and what there is of the others, as .npz, atomically."""
        content: dict[str, NDArray[np.generic]] = {
            "ids": np.asarray(self.ids, dtype=str),
            "features": self.features,
            "channels": np.asarray(self.channels),
            "size": np.asarray(self.size),
        }
        if self.boxes is not None:
            content["boxes"] = self.boxes
        if self.labels is not None:
            content |= {"labels": self.labels, "classes": np.asarray(self.classes, dtype=str)}
        return write_atomic(path, lambda file: np.savez(file, **content))  # type: ignore[arg-type]


class EmbeddingStage:
    """Extract features of every image, or every labelled box: global averages of the feature maps of an encoder.

    An image or box that cannot be read is left out with the reason in the log. The ranks of a process group share the
    work; rank 0 writes.

    Args:
        network: on its device, with its weights.
        datalist: the images by split.
        cache: the images.
        path: file for the features, ``.npz``.
        boxes: file with labelled boxes, see `read_labelled_boxes`; ``None`` takes every image as a whole.
        crop_size: voxels that a box is resized to, unless the file says it.
        overview_size: voxels that a whole image is resized to.
        intensity_range: physical values that become 0 and 1 (HU for CT), or a window per image.
        batch_size: images or boxes per forward pass.
        device: where the network is.
        levels: feature maps that are used, by index, 0 the shallowest; ``None`` for all.
    """

    def __init__(
        self,
        network: Network,
        datalist: Datalist,
        cache: VolumeCache,
        path: str | Path,
        boxes: str | Path | None,
        crop_size: Sequence[int],
        overview_size: Sequence[int],
        intensity_range: IntensityRange,
        batch_size: int,
        device: torch.device | str,
        levels: Sequence[int] | None = None,
    ) -> None:
        self.network, self.datalist, self.cache = network, datalist, cache
        self.path, self.boxes = Path(path), boxes
        self.crop_size, self.overview_size = tuple(crop_size), tuple(overview_size)
        self.intensity_range = checked_range(intensity_range)
        self.batch_size, self.device, self.levels = batch_size, device, levels

    def __call__(self) -> Features:
        """Run the stage and return what was written.

        Raises:
            ValueError: nothing could be read, features are not finite, the boxes do not fit the images, or most values
                do not fit the window.
        """
        if not isinstance(self.intensity_range, str):
            check_fit(self.cache.quantiles, self.intensity_range)
        labelled = None if self.boxes is None else read_labelled_boxes(self.boxes, self.cache, self.datalist)
        items = [Box(id=name, box=None) for name in self.cache.ids] if labelled is None else labelled.items
        size = self.overview_size
        if labelled is not None and not labelled.of_whole_images:
            size = labelled.crop_size or self.crop_size
        rows, features, channels = box_features(
            *(self.network, self.cache, items, size, self.intensity_range, self.batch_size, self.device, self.levels),
            progress="Embedding",
        )
        kept = [items[row] for row in rows]
        bad = [item["id"] for item, good in zip(kept, features.isfinite().all(1).tolist(), strict=True) if not good]
        if bad:
            raise UserError(f"The features of {bad[:5]} are not finite; use a network that was trained to the end.")
        boxes = [item["box"] for item in kept if item["box"] is not None]
        result = Features(
            [item["id"] for item in kept],
            features.numpy(),
            channels,
            size,
            boxes=np.asarray(boxes, dtype=np.int64) if boxes else None,
            labels=None if labelled is None else np.asarray([item["label"] for item in kept], dtype=np.int64),
            classes=() if labelled is None else labelled.classes,
        )
        if rank() == 0:
            result.save(self.path)
        barrier()
        logger.info(f"The features of {len(kept)} of {len(items)} images or boxes are in {self.path}.")
        return result
