"""Look-alikes of the released pattern arrays: file names, types and the missing last rows are as published."""

from __future__ import annotations

from pathlib import Path

import numpy as np

CLASSES, ROWS, VALIDATION_ROWS = 3, 4, 2
CROP = (16, 16, 16)


def write_released(folder: Path, dtype: str = "float64", fold: str = "1.0", first_label: int = 0) -> Path:
    """Write a fold: 11 of 12 training rows at each resolution, 5 of 6 validation rows."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for split, scales, rows in (("train", (1, 2, 3), ROWS), ("val", (1,), VALIDATION_ROWS)):
        labels = first_label + np.repeat(np.arange(CLASSES, dtype=np.float64), rows)[:-1, None]
        for scale in scales:
            crops = rng.random((len(labels), *CROP)).astype(dtype)
            np.save(folder / f"{split}_data{scale}_vwGen_ex_ref_fold{fold}.npy", crops)
            np.save(folder / f"{split}_label{scale}_vwGen_ex_ref_fold{fold}.npy", labels)
    return folder
