"""Pattern crops as the authors of Semantic Genesis release them: large arrays of crops with pseudo labels."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...transforms.resampling import resize
from ...utils.errors import AbsentError, UserError
from ..records import PatternTable

logger = logging.getLogger(__name__)

NUM_AXES = 3
SAMPLED_ROWS = 8
TOLERANCE = 1e-3


class ReleasedArrays:
    """Read access to a folder of released pattern arrays; for `ReadBoxd` it takes the place of a `VolumeCache`.

    Per fold F (1.0, 2.0, ...) the folder holds ``train_data{1,2,3}_vwGen_ex_ref_foldF.npy``, the crops at three
    resolutions ``(N, *crop)`` in [0, 1], ``train_label{1,2,3}_...``, their pseudo labels ``(N, 1)`` or ``(N,)``, and
    ``val_data1_...``, ``val_label1_...`` of other patients. Any floating type, number of rows and crop size will do.
    Nothing is read into memory and no file kept open, so it can be sent to worker processes.

    Args:
        folder: where the arrays are.

    Raises:
        FileNotFoundError: there is no fold, or a file of one is missing.
        ValueError: a file is not a plain array of crops.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.skipped: dict[str, str] = {}
        found = [
            re.fullmatch(r"train_data1_vwGen_ex_ref_fold([\d.]+)", path.stem) for path in self.folder.glob("*.npy")
        ]
        self.folds = sorted((match[1] for match in found if match), key=float)
        if not self.folds:
            raise AbsentError(
                f"{self.folder} holds no train_data1_vwGen_ex_ref_fold1.0.npy; "
                "unpack the released arrays there, or set dataset_dir to where they are."
            )
        first = [self.crops(array_name("train_data1", fold)) for fold in self.folds]
        self.shapes: list[tuple[int, ...]] = [array.shape[1:] for array in first for _ in array]

    @property
    def crop_size(self) -> list[int]:
        """Voxels along each axis of the first crop."""
        return list(self.shapes[0])

    @property
    def spacings(self) -> list[tuple[float, ...]]:
        """Spacing along each axis in mm of each crop: unknown (NaN), the arrays do not tell it."""
        return [(float("nan"),) * NUM_AXES] * len(self.shapes)

    def crops(self, name: str) -> NDArray[np.floating[Any]]:
        """Return the crops ``(N, *crop)`` of a file, mapped from disk."""
        array = self._open(name)
        if array.ndim != NUM_AXES + 1 or not np.issubdtype(array.dtype, np.floating) or not array.size:
            raise UserError(
                f"{self.folder / name} holds {array.dtype} of shape {array.shape}; crops are floating-point numbers of "
                "shape (rows, x, y, z)."
            )
        return array

    def overview(self, name: str, size: Sequence[int]) -> NDArray[np.float32]:
        """Return a crop by the ``id`` of its box, float32, resized to ``size`` voxels; intensities stay in [0, 1]."""
        found = re.fullmatch(r"(train|val)(\d+)-([\d.]+)-(\d+)", name)
        if found is None:
            raise KeyError(f"{name!r} names no crop of {self.folder}.")
        kind, scale, fold, row = found.groups()
        values = self.crops(array_name(f"{kind}_data{scale}", fold))[int(row)].astype(np.float32)
        return values if values.shape == tuple(size) else resize(values, size)

    def read_box(
        self, name: str, box: Sequence[Sequence[int]], size: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Return a part of a crop; the box has to lie in it."""
        part = self.overview(name, self.crop_size)[tuple(slice(start, stop) for start, stop in box)]
        return part if size is None or part.shape == tuple(size) else resize(part, size)

    def labels(self, name: str) -> NDArray[np.int64]:
        """Return the labels ``(N,)`` of a file; those stored as floating-point numbers are made integers."""
        stored = self._open(name)
        if stored.ndim == 0 or stored.size != len(stored):
            raise UserError(f"{self.folder / name} has the shape {stored.shape}; labels are (rows,) or (rows, 1).")
        values = np.asarray(stored, dtype=np.float64).ravel()
        wrong = values[~(np.isfinite(values) & (values >= 0) & (values == np.rint(values)))]
        if wrong.size:
            raise UserError(f"{self.folder / name} holds the label {wrong[0]:g}; labels are the integers 0, 1, 2, ...")
        return values.astype(np.int64)

    def _open(self, name: str) -> np.ndarray:
        path = self.folder / name
        if not path.is_file():
            raise AbsentError(f"{path} does not exist; a fold needs data and labels of each resolution in use.")
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise UserError(
                f"{path} is not a plain NumPy array that can be mapped from disk ({error}); download it again, or save "
                "its numbers with numpy.save."
            ) from error


def array_name(kind: str, fold: str) -> str:
    """Return the file name of an array, such as ``train_data1_vwGen_ex_ref_fold1.0.npy``."""
    return f"{kind}_vwGen_ex_ref_fold{fold}.npy"


def released_table(arrays: ReleasedArrays, num_classes: int, scales: int = 3) -> PatternTable:
    """List the crops of released arrays as a pattern table whose boxes are whole crops.

    The class of a row is what its label says and never follows from its place, since the released files lack their last
    row. The labels of a fold continue those of the fold before it. Folds that share a label are refused: the same label
    would stand for two coordinates.

    Args:
        arrays: the arrays.
        num_classes: pseudo labels used, C; rows whose label is C or more are left out.
        scales: resolutions used for training, from the first on.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: data and labels do not fit each other, a value is outside [0, 1] (some rows of each file are looked
            at), folds share labels, labels do not count on from 0, or nothing is left for validation.
    """
    training = _training_records(arrays, scales)
    labels = {row["label"] for row in training}
    used = set(range(min(num_classes, len(labels))))
    if not used or not used <= labels:
        raise UserError(
            f"The training labels in {arrays.folder} are {sorted(labels)}; those below num_classes={num_classes} must "
            "count on from 0. Add the fold that is missing."
        )
    table = PatternTable(
        seed=0,
        preset="released",
        grid={"spacing": None, "frame": "voxel", "crop_size": arrays.crop_size},
        features_sha256="",
        classes=[{"label": label, "reference": None, "anchor": None, "neighbours": []} for label in sorted(used)],
        training=[row for row in training if row["label"] in used],
        validation=[row for fold in arrays.folds for row in _records(arrays, "val", 1, fold) if row["label"] in used],
    )
    if not table.validation:
        raise UserError(f"No validation crop in {arrays.folder} has one of the {len(used)} labels that are trained.")
    counts = f"{len(table.training)} training and {len(table.validation)} validation crops"
    logger.info(f"Released patterns in {arrays.folder}: {len(used)} of {len(labels)} classes, {counts}.")
    return table


def _training_records(arrays: ReleasedArrays, scales: int) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    fold_of: dict[int, str] = {}
    for fold in arrays.folds:
        added = [row for scale in range(1, scales + 1) for row in _records(arrays, "train", scale, fold)]
        for label in sorted({row["label"] for row in added}):
            if fold_of.setdefault(label, fold) != fold:
                raise UserError(
                    f"The folds {fold_of[label]} and {fold} in {arrays.folder} share the label {label}, which would "
                    "stand for two coordinates; number the classes of later folds on, or keep one fold."
                )
        records += added
    return records


def _records(arrays: ReleasedArrays, split: str, scale: int, fold: str) -> list[dict[str, Any]]:
    file, label_file = (array_name(f"{split}_{kind}{scale}", fold) for kind in ("data", "label"))
    crops, labels = arrays.crops(file), arrays.labels(label_file)
    if len(crops) != len(labels) or crops.shape[1:] != tuple(arrays.crop_size):
        raise UserError(
            f"{arrays.folder / file} has the shape {crops.shape}, but {label_file} has {len(labels)} labels and the "
            f"first crops have the size {arrays.crop_size}; take all files from one release."
        )
    sample = crops[np.unique(np.linspace(0, len(crops) - 1, SAMPLED_ROWS).astype(int))].astype(np.float32)
    if not (sample.min() >= -TOLERANCE and sample.max() <= 1 + TOLERANCE):
        raise UserError(
            f"{arrays.folder / file} holds values from {sample.min():g} to {sample.max():g}; "
            "crops must be in [0, 1], for CT (HU + 1000) / 2000 clipped."
        )
    return [
        {"id": f"{split}{scale}-{fold}-{row}", "label": label, "scale": scale, "box": None}
        for row, label in enumerate(labels.tolist())
    ]
