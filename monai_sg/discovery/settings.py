"""What a user may set of the discovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .coordinates import CoordinateRules

PRESETS = ("default",)


@dataclass(frozen=True)
class DiscoverySettings:
    """Arguments of `discover`.

    Attributes:
        crop_size: voxels of a crop, on a grid with the median spacing of the training images.
        seed: the same seed gives the same table, byte for byte.
        preset: ``default``.
        num_classes: coordinates wanted, C.
        num_neighbours: training images per class, K; reduced to 45 % of the training images.
        num_neighbours_validation: nearest validation images, and nearest test images, per class.
        scales: resolutions per training box; the first is the exact box, the others vary its size and place in plane.
        frame: ``auto``, ``lung``, ``body``, ``fov`` or ``voxel``: what coordinates are relative to.
        coordinates_per_reference: coordinates per reference; ``None`` spreads them over as many references as could
            cover the cohort.
        max_iou: largest overlap of the boxes of two classes.
        intensity_range: physical values between which intensities are told apart; ``None`` is each reference's range.
    """

    crop_size: Sequence[int]
    seed: int = 0
    preset: str = "default"
    num_classes: int = 44
    num_neighbours: int = 200
    num_neighbours_validation: int = 30
    scales: int = 3
    frame: str = "auto"
    coordinates_per_reference: int | None = None
    max_iou: float = 0.5
    intensity_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for a value that makes no sense."""
        if self.preset not in PRESETS:
            raise ValueError(f"preset = {self.preset!r} is unknown; use one of {PRESETS}.")
        if any(edge < 1 for edge in self.crop_size) or len(self.crop_size) not in (2, 3):
            raise ValueError(f"crop_size = {list(self.crop_size)} must be two or three positive numbers.")
        lowest = {
            "num_classes": 2,
            "num_neighbours": 1,
            "num_neighbours_validation": 0,
            "scales": 1,
            "coordinates_per_reference": 1,
        }
        for name, least in lowest.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} = {value} must be at least {least}.")
        if not 0 <= self.max_iou < 1:
            raise ValueError(f"max_iou = {self.max_iou} must be at least 0 and below 1.")

    @property
    def rules(self) -> CoordinateRules:
        """What a coordinate must fulfil."""
        return CoordinateRules(max_iou=self.max_iou, intensity_range=self.intensity_range)
