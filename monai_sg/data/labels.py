"""Label maps made ready for training: checked against their image and turned into foreground and background."""

from __future__ import annotations

import logging
import math
from collections.abc import Hashable, Mapping, Sequence
from itertools import product
from typing import Any

import torch
from monai.config.type_definitions import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.data.utils import to_affine_nd
from monai.transforms.transform import MapTransform
from monai.utils.type_conversion import convert_to_dst_type
from torch import Tensor

from .readers.formats import UnusableImageError

logger = logging.getLogger(__name__)

TOLERANCE_MM = 1e-2
MAX_NAMED = 5
MAX_HELD = 20
LABEL_VALUES = "label_values"


class PrepareLabeld(MapTransform):
    """Turn a label map into uint8: 1 where its value is in ``foreground``, 0 elsewhere.

    It comes after ``LoadImaged`` and ``EnsureChannelFirstd`` and before all that changes the geometry: image and label
    are ``MetaTensor`` of shape (C, *spatial) and (1, *spatial), and must show the same voxels. Not a number, a fraction
    or an unknown value in a label is an error, because each of them is a mistake in the data. A label without
    foreground is allowed and draws a warning; its metadata keeps the values that it holds as ``label_values``.

    Args:
        keys: keys of the labels.
        foreground: values that count as the object.
        known_labels: all values that may occur; ``None`` for any whole number.
        image_key: key of the image that the labels belong to.
        match_affine: refuse a label whose affine differs from the image's, that is, places a corner voxel more than
            0.01 mm away. ``False`` lays such a label on the image voxel by voxel, with a warning, for data sets known
            to have right voxels under wrong headers.
        allow_missing_keys: pass data without label, as in inference.

    Raises:
        ValueError: if ``foreground`` is empty or holds values that are not known.
        UnusableImageError: when called with a label that cannot be used; the message is a reason that reads well after
            the path of the label.
    """

    def __init__(
        self,
        keys: KeysCollection,
        foreground: Sequence[int],
        known_labels: Sequence[int] | None = None,
        image_key: str = "image",
        match_affine: bool = True,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if not foreground:
            raise ValueError("foreground is empty; name the label values that count as the object, such as [1].")
        if known_labels is not None and (unknown := sorted(set(foreground) - set(known_labels))):
            raise ValueError(f"foreground holds {unknown}, which are not among the known_labels {list(known_labels)}.")
        self.foreground = tuple(foreground)
        self.known_labels = None if known_labels is None else tuple(sorted(known_labels))
        self.image_key = image_key
        self.match_affine = match_affine

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return ``data`` with each label replaced by a uint8 ``MetaTensor`` (1, *spatial) of 0 and 1."""
        result = dict(data)
        for key in self.key_iterator(result):
            label: MetaTensor = result[key]
            name = data.get("id") or label.meta.get("filename_or_obj", "A label")
            affine = self._affine(label, data[self.image_key], name)
            self._check_values(label.as_tensor())
            mask = _is_among(label.as_tensor(), self.foreground)
            prepared, *_ = convert_to_dst_type(mask, dst=label, dtype=torch.uint8)
            prepared.affine = affine
            if not mask.any():
                held = _first_values(label.as_tensor(), MAX_HELD)
                logger.warning(
                    f"{name}: no voxel of the label has a value of {list(self.foreground)}; it holds {held}."
                )
                prepared.meta = {**prepared.meta, LABEL_VALUES: held}
            result[key] = prepared
        return result

    def _affine(self, label: MetaTensor, image: MetaTensor, name: str) -> Tensor:
        """Return the affine of the label, once it is known to lie on the image."""
        if label.shape[0] != 1:
            raise UnusableImageError(f"has {label.shape[0]} channels; a label map has one")
        if label.shape[1:] != image.shape[1:]:
            raise UnusableImageError(
                f"has shape {tuple(label.shape[1:])}, but its image has {tuple(image.shape[1:])}; "
                "draw or resample it on the grid of the image"
            )
        distance = _corner_distance(label, image)
        if distance <= TOLERANCE_MM:
            return label.affine
        text = f"has another position or orientation than its image (corners are up to {distance:.2f} mm apart)"
        if self.match_affine:
            raise UnusableImageError(
                f"{text}; resample it to the image, or set match_affine to false if the voxels fit and only the header "
                "is wrong"
            )
        logger.warning(f"{name}: the label {text}; its voxels are taken to lie on those of the image.")
        return image.affine

    def _check_values(self, label: Tensor) -> None:
        """Raise unless all values are whole and known."""
        if not all(math.isfinite(value) for value in torch.aminmax(label)):  # NaN anywhere is the minimum
            raise UnusableImageError("holds NaN or infinite values; a label map holds whole numbers")
        if label.is_floating_point() and (broken := label != label.round()).any():
            raise UnusableImageError(
                f"holds the label values {_first_values(label[broken])}, which are not whole; was it interpolated? "
                "Resample label maps with nearest neighbour"
            )
        if self.known_labels is None:
            return
        unseen = label[~_is_among(label, self.known_labels)]
        if unseen.numel():
            raise UnusableImageError(
                f"holds the label values {_first_values(unseen)}, which are none of {list(self.known_labels)}; correct "
                "the label map, or name the values in known_labels"
            )


def _is_among(label: Tensor, values: Sequence[int]) -> Tensor:
    """Return where the label has one of the values, compared in its own type, which takes the least memory."""
    limits = torch.finfo(label.dtype) if label.is_floating_point() else torch.iinfo(label.dtype)
    held = [value for value in values if limits.min <= value <= limits.max]
    return torch.isin(label, torch.tensor(held, dtype=label.dtype, device=label.device))


def _first_values(values: Tensor, number: int = MAX_NAMED) -> list[float]:
    """Return the smallest different values, whole ones as integers."""
    found = torch.unique(values)[:number].tolist()
    return [int(value) if value == int(value) else round(value, 4) for value in found]


def _corner_distance(label: MetaTensor, image: MetaTensor) -> float:
    """Return how far in mm the affines of label and image place the same corner voxel apart, at most."""
    sizes = label.shape[1:]
    corners = torch.tensor(
        [[*corner, 1] for corner in product(*((0, size - 1) for size in sizes))], dtype=torch.float64
    )
    first, second = (
        to_affine_nd(len(sizes), affine).to(torch.float64).cpu() for affine in (label.affine, image.affine)
    )
    return float(torch.linalg.vector_norm(((first - second) @ corners.T)[:-1], dim=0).max())
