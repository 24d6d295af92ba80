"""The names that configs use until they name the sets."""

from __future__ import annotations

from pathlib import Path

from ..datasets.labelled_folder import LabelledFolder
from ..datasets.lits import LiTS
from ..datasets.opening import open_datalist
from ..images import labelled_records
from ..records import Datalist

__all__ = ["labelled_records", "open_labelled"]


def open_labelled(
    path: str | Path, dataset_dir: str | Path, seed: int = 0, patient_pattern: str | None = None
) -> Datalist:
    """Open a list of images with label maps."""
    return open_datalist(path, dataset_dir, [LiTS(), LabelledFolder()], seed, patient_pattern)
