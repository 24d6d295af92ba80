"""Several structures of a label map as channels, and back to one label map."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config.type_definitions import KeysCollection
from monai.transforms.transform import MapTransform
from monai.transforms.utils import map_classes_to_indices
from monai.utils.type_conversion import convert_to_dst_type

from ..utils.errors import UserError

Structures = Mapping[str, Sequence[int]]

GREATEST = 255


def is_among(label: torch.Tensor, values: Sequence[int]) -> torch.Tensor:
    """Return where the label has one of the values, compared in its own type, which takes the least memory."""
    limits = torch.finfo(label.dtype) if label.is_floating_point() else torch.iinfo(label.dtype)
    held = [value for value in values if limits.min <= value <= limits.max]
    return torch.isin(label, torch.tensor(held, dtype=label.dtype, device=label.device))


def structure_masks(label: torch.Tensor, structures: Structures) -> torch.Tensor:
    """Return one channel per structure, in their order, from a label map ``(1, *spatial)``: bool ``(C, *spatial)``."""
    return torch.cat([is_among(label, values) for values in structures.values()])


def map_values(structures: Structures) -> list[int]:
    """Return the value that each structure gets in a label map in which later structures lie over earlier ones.

    It is the first of its label values that no later structure has, so that a map of the truth comes out as it was:
    of whole tumour ``[2, 1, 4]``, tumour core ``[1, 4]`` and enhancing tumour ``[4]`` they are 2, 1 and 4.

    Args:
        structures: name to label values.

    Raises:
        UserError: a structure has no value, none of its own, or one that does not fit into 8 bits.
    """
    values = []
    for position, (name, own) in enumerate(structures.items()):
        later = {value for others in list(structures.values())[position + 1 :] for value in others}
        left = [value for value in own if value not in later]
        if not left:
            raise UserError(
                f"The structure {name} {list(own)} has no label value that later ones lack, so that they would hide it "
                "in a label map; name its values, and put larger structures before those inside them."
            )
        if not 0 < left[0] <= GREATEST:
            raise UserError(f"The structure {name} has the label value {left[0]}; write values from 1 to {GREATEST}.")
        values.append(left[0])
    return values


class StructureChannelsd(MapTransform):
    """Turn a label map into one channel of 0 and 1 per structure.

    Args:
        keys: label maps ``(1, *spatial)``, which become uint8 ``(C, *spatial)``.
        structures: name to the label values that belong to the structure; they may share values.
        allow_missing_keys: pass data without label, as in inference.
    """

    def __init__(self, keys: KeysCollection, structures: Structures, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.structures = {name: list(values) for name, values in structures.items()}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return ``data`` with the channels in place of the label maps."""
        result = dict(data)
        for key in self.key_iterator(result):
            masks = structure_masks(torch.as_tensor(result[key]), self.structures)
            result[key], *_ = convert_to_dst_type(masks, dst=result[key], dtype=torch.uint8)
        return result


class StructureIndicesd(MapTransform):
    """Note voxels of the background and of each structure, from which crops are drawn.

    ``<key>_cls_indices`` becomes a list of flat indices, as `monai.transforms.ClassesToIndicesd` gives it of a label
    map: first those where there is no structure, then those of each channel, which may overlap.

    Args:
        keys: labels ``(C, *spatial)`` of 0 and 1.
        max_samples: most voxels of each kind, evenly chosen.
    """

    def __init__(self, keys: KeysCollection, max_samples: int | None = None) -> None:
        super().__init__(keys)
        self.max_samples = max_samples

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return ``data`` with the indices."""
        result = dict(data)
        for key in self.key_iterator(result):
            label = torch.as_tensor(result[key]) > 0
            kinds = torch.cat([~label.any(0, keepdim=True), label])
            found = map_classes_to_indices(kinds, len(kinds), max_samples_per_class=self.max_samples)
            result[f"{key}_cls_indices"] = found
        return result


class StructureMapd(MapTransform):
    """Turn the probabilities of structures into one label map; a later structure lies over an earlier one.

    Args:
        keys: probabilities ``(C, *spatial)``, which become uint8 ``(1, *spatial)``.
        structures: name to label values; the map has `map_values`.
        threshold: a voxel belongs to a structure from this probability on.

    Raises:
        UserError: a structure would be hidden by later ones (`map_values`).
    """

    def __init__(self, keys: KeysCollection, structures: Structures, threshold: float = 0.5) -> None:
        super().__init__(keys)
        self.values = map_values(structures)
        self.threshold = threshold

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return ``data`` with label maps; raises ``ValueError`` if there are not as many channels as structures."""
        result = dict(data)
        for key in self.key_iterator(result):
            probabilities = torch.as_tensor(result[key])
            if len(probabilities) != len(self.values):
                raise ValueError(f"{len(probabilities)} channels are no map of {len(self.values)} structures.")
            label = torch.zeros_like(probabilities[:1], dtype=torch.uint8)
            for channel, value in zip(probabilities, self.values, strict=True):
                label[0][channel >= self.threshold] = value
            result[key], *_ = convert_to_dst_type(label, dst=result[key], dtype=torch.uint8)
        return result
