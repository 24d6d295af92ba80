"""Values of label maps: whole numbers that are known, or the sentence that says what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..transforms.structures import is_among
from .readers.formats import UnusableImageError

ROUNDING, RELATIVE_ROUNDING = 1e-3, 1e-5
MAX_NAMED = 5
MANY_VALUES = 64
GREY_VALUES = 3


def whole_values(label: Tensor) -> Tensor:
    """Return a label map with its values rounded to the whole numbers that they stand for.

    A map of floats that was saved with the header of an image of 16 bits comes back as 1.99997, so values count as
    whole that are off by at most 0.001, or 0.00001 of the largest value, which is half a step of such a file.

    Raises:
        UnusableImageError: values are not finite, or not whole; a reason that reads well after the path of the label.
    """
    if not label.is_floating_point():
        return label
    finite = torch.isfinite(label)
    if not finite.all():
        share = 1 - float(finite.float().mean())
        raise UnusableImageError(
            f"holds NaN or infinite values in {share:.0%} of its voxels; a label map holds whole numbers: set them to "
            "0 if they stand for background"
        )
    whole = label.round()
    tolerance = max(ROUNDING, RELATIVE_ROUNDING * float(label.abs().max()))
    broken = (label - whole).abs() > tolerance
    if broken.any():
        fractions = label[broken]
        _refuse_image(fractions, label)
        raise UnusableImageError(
            f"holds the label values {first_values(fractions)}, which are not whole; was it interpolated? Resample "
            "label maps with nearest neighbour"
        )
    return whole


def check_known(label: Tensor, known_labels: Sequence[int]) -> None:
    """Refuse whole values that are not among the known ones.

    Raises:
        UnusableImageError: as `whole_values`; it tells grey edges and an image in the place of a label map apart.
    """
    unseen = label[~is_among(label, known_labels)]
    if not unseen.numel():
        return
    _refuse_image(unseen, label)
    found = torch.unique(unseen)
    low, high = int(label.min()), int(label.max())
    if len(found) >= GREY_VALUES and low == 0 and unseen.numel() < label.numel() / 2:
        raise UnusableImageError(
            f"has grey edges: {len(found)} values such as {first_values(unseen)} between 0 and {high}, so it was "
            f"resized or saved as JPEG; set what is {(high + 1) // 2} or more to {high}, the rest to 0, and save it "
            "as PNG"
        )
    remedy = ""
    held = torch.unique(label).tolist()
    if len(held) == 2 and held[0] == 0:
        value = int(held[1])
        remedy = f'; if {value} is the object, give --foreground "[{value}]" --known_labels "[0,{value}]"'
    raise UnusableImageError(
        f"holds the label values {first_values(unseen)}, which are none of {list(known_labels)}; correct the label "
        f"map, or name the values in known_labels{remedy}"
    )


def _refuse_image(unexpected: Tensor, label: Tensor) -> None:
    """Refuse what has so many values, in most of its voxels, that it is an image rather than a label map."""
    number = len(torch.unique(unexpected))
    spread = float(label.max()) - float(label.min())
    if number > MANY_VALUES < spread and unexpected.numel() > label.numel() / 2:
        raise UnusableImageError(
            f"looks like an image, not a label map: it holds {number} different values, from {float(label.min()):g} to "
            f"{float(label.max()):g}; put the label map in its place"
        )


def first_values(values: Tensor, number: int = MAX_NAMED) -> list[float]:
    """Return the smallest different values, whole ones as integers."""
    found = torch.unique(values)[:number].tolist()
    return [int(value) if value == int(value) else round(value, 4) for value in found]
