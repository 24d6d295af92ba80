"""What a user may set of a comparison of frames and similar patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from ...data.intensity import IntensityRange
from ...discovery.frames import FRAMES
from ...discovery.references import neighbour_count
from ...utils.errors import UserError

MOST_NEIGHBOURS = 200


@dataclass(frozen=True)
class AgreementSettings:
    """Settings of `AgreementStudy`.

    Attributes:
        frames: some of ``voxel``, ``fov``, ``body``, ``lung``; places are chosen in the last one. All if empty,
            ``lung`` only where lungs are found in nearly all images.
        places: coordinates per draw.
        references: images that they are chosen in.
        draws: draws of references and places.
        neighbours: images similar to a reference, itself included; ``None`` for as many as the discovery takes.
        patients: most patients, drawn at random; one image of each takes part.
        crop_size: voxels of a box on a grid with the median spacing.
        intensity_range: physical values between which intensities are told apart, or a window per image.
        organs: values of the label maps that count as organs; all but 0 if empty.
        lungs: values of the label maps that are lungs; their box is compared with the one found by thresholds.
        seed: of the draws.

    Raises:
        ValueError: for a value that makes no sense.
    """

    frames: Sequence[str] = ()
    places: int = 20
    references: int = 4
    draws: int = 5
    neighbours: int | None = None
    patients: int = 32
    crop_size: Sequence[int] = (64, 64, 32)
    intensity_range: IntensityRange = (-1000, 1000)
    organs: Sequence[int] = ()
    lungs: Sequence[int] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for a value that makes no sense."""
        unknown = [name for name in self.frames if name not in FRAMES]
        if unknown:
            raise UserError(f"frames holds {unknown[0]!r}; give some of {', '.join(FRAMES)}, as a list.")
        least = {"places": 2, "references": 1, "draws": 1, "neighbours": 2, "patients": 1}
        for name, lowest in least.items():
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise UserError(f"{name} = {value} must be at least {lowest}.")

    def neighbours_of(self, count: int) -> int:
        """Return how many of ``count`` images are similar to one of them, itself included."""
        most = min(self.neighbours or MOST_NEIGHBOURS, count)
        return most if self.neighbours else neighbour_count(count, most)

    @classmethod
    def of(cls, given: dict[str, Any]) -> AgreementSettings:
        """Return the settings of a command line; ``ValueError`` names what is unknown and what there is."""
        known = [item.name for item in fields(cls)]
        unknown = [name for name in given if name not in known]
        if unknown:
            raise UserError(f"There is no setting {unknown[0]!r}; take some of {', '.join(known)}.")
        return cls(**given)
