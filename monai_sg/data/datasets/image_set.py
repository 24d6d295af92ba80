"""What every reader of a set of images has in common."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..records import Datalist


class ImageSet(Protocol):
    """One way in which images lie in a folder: the layout of an official data set, or any other.

    A class per layout, one in a file, named in a config as ``{"_target_": "monai_sg.data.datasets.lits.LiTS"}``. What a
    layout needs beyond the folder are arguments of its class.
    """

    @property
    def name(self) -> str:
        """Name of the set, which becomes the ``source`` of its data list."""

    @property
    def layout(self) -> str:
        """What is looked for, in words that follow "looked for"."""

    def matches(self, folder: Path) -> bool:
        """Return whether the folder has this layout, as far as the names of its files tell."""

    def read(self, folder: Path, seed: int = 0, patient_pattern: str | None = None) -> Datalist:
        """Return the images by split, each left out file with its reason.

        Args:
            folder: the folder, which has this layout.
            seed: of the split by patient; a published split wins.
            patient_pattern: regular expression that finds the patient in an image's path where the layout does not say
                it.

        Raises:
            UserError: nothing can be used.
        """
