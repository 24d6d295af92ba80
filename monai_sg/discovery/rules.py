"""What a coordinate must fulfil in its reference image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..data.intensity import IntensityRange
from ..utils.errors import UserError


@dataclass(frozen=True)
class CoordinateRules:
    """Ours by default: inside the body, not constant, little overlap; the last attributes are of the released code.

    Attributes:
        max_iou: largest overlap (intersection over union) of the boxes of two classes; 1 allows any.
        min_body_share: smallest share of the box inside the body; 0 does not look.
        min_deviation: smallest standard deviation of the box, as a share of the intensity range; 0 does not look.
        intensity_range: physical values of that range; ``None`` is the range of the reference.
        candidates: places drawn per reference.
        border: voxels per axis that a box keeps from the sides of the image; only in the frame ``voxel``.
        min_distance: smallest distance in voxels of the corners of two classes; only in the frame ``voxel``.
        max_tissue_share: largest share of soft tissue in the box; 1 does not look.
        tissue_threshold: physical value (HU) from which a voxel is soft tissue.

    Raises:
        ValueError: for a value that makes no sense.
    """

    max_iou: float = 0.5
    min_body_share: float = 0.5
    min_deviation: float = 0.01
    intensity_range: IntensityRange | None = None
    candidates: int = 4096
    border: Sequence[int] | None = None
    min_distance: float = 0.0
    max_tissue_share: float = 1.0
    tissue_threshold: float = -150.0

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for a value that makes no sense."""
        for name in ("max_iou", "min_body_share", "max_tissue_share"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise UserError(f"{name} = {value} must be in [0, 1].")
        if self.candidates < 1:
            raise UserError(f"candidates = {self.candidates} must be at least 1.")
        if self.border is not None and min(self.border) < 0:
            raise UserError(f"border = {list(self.border)} must not be negative.")

    @property
    def counts_voxels(self) -> bool:
        """Whether a rule is about voxels of the image, which only the frame ``voxel`` has in common."""
        return self.border is not None or self.min_distance > 0
