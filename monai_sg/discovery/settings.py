"""What a user may set of the discovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..utils.errors import UserError
from .rules import CoordinateRules

PRESETS = ("default", "paper", "release")
DRAWS = ("central", "apart", "random")


@dataclass(frozen=True)
class DiscoverySettings:
    """Arguments of `discover`.

    Attributes:
        crop_size: voxels of a crop, on a grid with the median spacing of the training images.
        seed: the same seed gives the same table, byte for byte.
        preset: name that is noted in the table: ``default``, ``paper`` or ``release``.
        num_classes: coordinates wanted, C.
        num_neighbours: training images per class, K; reduced to ``neighbour_share`` of the training images.
        neighbour_share: largest share of the training images that count as alike.
        num_neighbours_validation: nearest validation images, and nearest test images, per class.
        scales: resolutions per training box; the first is the exact box, the others vary its size and place in plane.
        frame: ``auto``, ``lung``, ``body``, ``fov`` or ``voxel``: what coordinates are relative to.
        reference_draw: ``central``, the image that all others are nearest to, so that all classes come from the same
            patients; ``apart``, as many references as could cover the cohort, each with neighbours of its own; or
            ``random``, as the released code does.
        coordinates_per_reference: coordinates per reference; ``None`` takes all from one if ``central``, and else
            spreads them over as many references as could cover the cohort.
        rules: what a coordinate must fulfil.
    """

    crop_size: Sequence[int]
    seed: int = 0
    preset: str = "default"
    num_classes: int = 44
    num_neighbours: int = 200
    neighbour_share: float = 0.45
    num_neighbours_validation: int = 30
    scales: int = 3
    frame: str = "auto"
    reference_draw: str = "central"
    coordinates_per_reference: int | None = None
    rules: CoordinateRules = field(default_factory=CoordinateRules)

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for a value that makes no sense."""
        for name, known in (("preset", PRESETS), ("reference_draw", DRAWS)):
            if getattr(self, name) not in known:
                raise UserError(f"{name} = {getattr(self, name)!r} is unknown; use one of {known}.")
        defaults = ("auto", 0.45, None, "central")
        if self.preset != "default" and defaults == (
            *(self.frame, self.neighbour_share, self.coordinates_per_reference, self.reference_draw),
        ):
            raise UserError(
                f"preset = {self.preset!r} is only a name: preset_{self.preset}.json sets it with all that belongs to "
                f"it. Add that file to config_file, or run `monai-sg pretrain --preset {self.preset}`."
            )
        if any(edge < 1 for edge in self.crop_size) or len(self.crop_size) not in (2, 3):
            raise UserError(f"crop_size = {list(self.crop_size)} must be two or three positive numbers.")
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
                raise UserError(f"{name} = {value} must be at least {least}.")
        if not 0 < self.neighbour_share <= 1:
            raise UserError(f"neighbour_share = {self.neighbour_share} must be above 0 and at most 1.")
        if self.rules.counts_voxels and self.frame != "voxel":
            raise UserError(
                f"The rules border and min_distance count voxels, which mean nothing in the frame {self.frame!r}; set "
                "frame to 'voxel', or leave them out."
            )
        if self.rules.border is not None and len(self.rules.border) != len(self.crop_size):
            raise UserError(
                f"border = {list(self.rules.border)} needs {len(self.crop_size)} numbers, as crop_size has."
            )
