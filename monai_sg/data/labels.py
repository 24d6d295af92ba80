"""Label maps made ready for training: checked against their image and turned into channels of 0 and 1."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config.type_definitions import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms.transform import MapTransform
from monai.utils.enums import MetaKeys
from monai.utils.type_conversion import convert_to_dst_type

from ..transforms.structures import Structures, structure_masks
from ..utils.errors import UserError
from .label_values import check_known, first_values, whole_values
from .readers.formats import UnusableImageError
from .readers.placement import turn_onto_image

logger = logging.getLogger(__name__)

MAX_HELD = 20
LABEL_VALUES = "label_values"
SOURCE, UNORIENTED = "source", "unoriented"
"""In the metadata of what `LoadRecordd` reads: the path, and why position and direction are not known."""


class PrepareLabeld(MapTransform):
    """Turn a label map into one channel of uint8 per structure: 1 where its value belongs to it, 0 elsewhere.

    It comes after ``LoadImaged`` and ``EnsureChannelFirstd`` and before all that changes the geometry: image and label
    are ``MetaTensor`` of shape (C, *spatial) and (1, *spatial), and must show the same voxels. Not a number, a fraction
    or an unknown value in a label is an error, because each of them is a mistake in the data. A label without
    foreground is allowed and draws a warning; its metadata keeps the values that it holds as ``label_values``.

    Args:
        keys: keys of the labels.
        structures: name of each structure to the values that belong to it; structures may share values.
        known_labels: all values that may occur; ``None`` for any whole number.
        image_key: key of the image that the labels belong to.
        match_affine: refuse a label that lies elsewhere than its image (`turn_onto_image`); one that only has its axes
            in another order or direction is turned. ``False`` lays such a label on the image voxel by voxel, with a
            warning, for data sets known to have right voxels under wrong headers.
        allow_missing_keys: pass data without label, as in inference.

    Raises:
        ValueError: if there is no structure, or one is without values or has some that are not known.
        UnusableImageError: when called with a label that cannot be used; the message is a reason that reads well after
            the path of the label.
    """

    def __init__(
        self,
        keys: KeysCollection,
        structures: Structures,
        known_labels: Sequence[int] | None = None,
        image_key: str = "image",
        match_affine: bool = True,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.structures = {name: list(values) for name, values in structures.items()}
        if not self.structures or not all(self.structures.values()):
            raise UserError(
                f"structures is {self.structures}; name what is to be segmented with its label values, such as "
                "{'liver': [1]}."
            )
        for name, values in self.structures.items():
            if known_labels is not None and (unknown := sorted(set(values) - set(known_labels))):
                raise UserError(
                    f"{name} has the values {unknown}, which are not among the known_labels {known_labels}."
                )
        self.known_labels = None if known_labels is None else tuple(sorted(known_labels))
        self.image_key = image_key
        self.match_affine = match_affine

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return ``data`` with each label replaced by a uint8 ``MetaTensor`` (structures, *spatial) of 0 and 1."""
        result = dict(data)
        for key in self.key_iterator(result):
            label: MetaTensor = result[key]
            path = str(label.meta.get(SOURCE) or label.meta.get("filename_or_obj", "A label"))
            try:
                result[key] = self._prepared(label, data[self.image_key], str(data.get("id") or path))
            except UnusableImageError as error:
                raise UnusableImageError(str(error), path if SOURCE in label.meta else "") from error
        return result

    def _prepared(self, label: MetaTensor, image: MetaTensor, name: str) -> MetaTensor:
        """Return the label as 0 and 1, on the voxels of its image."""
        label = self._placed(label, image, name)
        values = whole_values(label.as_tensor())
        if self.known_labels is not None:
            check_known(values, self.known_labels)
        mask = structure_masks(values, self.structures)
        prepared, *_ = convert_to_dst_type(mask, dst=label, dtype=torch.uint8)
        if not mask.any():
            held = first_values(values, MAX_HELD)
            logger.warning(f"{name}: no voxel of the label has a value of {self.structures}; it holds {held}.")
            prepared.meta = {**prepared.meta, LABEL_VALUES: held}
        return prepared

    def _placed(self, label: MetaTensor, image: MetaTensor, name: str) -> MetaTensor:
        """Return the label with its axes turned as those of the image, once it is known to lie on it."""
        if label.shape[0] != 1:
            raise UnusableImageError(f"has {label.shape[0]} channels; a label map has one")
        affines = [np.asarray(each.affine, dtype=float) for each in (label, image)]
        try:
            if unoriented := label.meta.get(UNORIENTED):
                raise UnusableImageError(f"{unoriented}; give it the header of its image")
            turn = turn_onto_image(label.shape[1:], affines[0], image.shape[1:], affines[1])
        except UnusableImageError as error:
            if self.match_affine or label.shape[1:] != image.shape[1:]:
                raise
            logger.warning(f"{name}: the label {error}. Its voxels are taken to lie on those of the image.")
            return MetaTensor(label.as_tensor(), affine=image.affine, meta=_without_affine(label))
        if not turn.is_needed:
            return label
        logger.info(f"{name}: the axes of the label are turned to those of the image, which shows the same place.")
        values = label.as_tensor().permute(0, *(1 + axis for axis in turn.order))
        values = values.flip([1 + axis for axis in turn.flipped]) if turn.flipped else values
        return MetaTensor(values.contiguous(), affine=image.affine, meta=_without_affine(label))


def _without_affine(label: MetaTensor) -> dict[str, Any]:
    return {key: value for key, value in label.meta.items() if key != MetaKeys.AFFINE}
