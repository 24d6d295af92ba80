"""The names that configs use until they name the sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..datasets.any_folder import AnyFolder, scan_folder
from ..datasets.opening import open_datalist as open_any
from ..records import Datalist

__all__ = ["open_datalist", "scan_folder"]


def open_datalist(
    path: str | Path,
    dataset_dir: str | Path,
    seed: int = 0,
    patient_pattern: str | None = None,
    spatial_dims: int | None = None,
    target_datalists: Sequence[str | Path] = (),
) -> Datalist:
    """Open a list of images without labels."""
    return open_any(path, dataset_dir, [AnyFolder(spatial_dims)], seed, patient_pattern, target_datalists)
