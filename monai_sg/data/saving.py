"""Predictions saved over the image as it was given, with the header of its file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nibabel as nib
import numpy as np
from monai.config.type_definitions import KeysCollection
from monai.data.image_writer import NibabelWriter
from monai.data.utils import to_affine_nd
from monai.transforms import SaveImaged

CODES, FILE_AFFINE, FILE_SHAPE = "codes", "file_affine", "file_shape"
"""In the metadata of what `LoadRecordd` reads: sform and qform code, and the grid of a sheared file."""


class SavePredictiond(SaveImaged):
    """``SaveImaged`` as NIfTI with the geometry of the file that the image came from.

    The codes of sform and qform are those of the file (1 where it is no NIfTI). What was read from sheared slices,
    which are put on a straight grid, is laid back on them, masks by nearest neighbour.

    Args:
        keys: what is saved.
        more: arguments of ``SaveImaged``, but ``writer``.
    """

    def __init__(self, keys: KeysCollection, **more: Any) -> None:
        super().__init__(keys, writer=PredictionWriter, **more)


class PredictionWriter(NibabelWriter):
    """MONAI's writer of NIfTI, with the codes and the grid of the file."""

    def __init__(self, output_dtype: Any = np.float32, **more: Any) -> None:
        super().__init__(output_dtype=output_dtype, **more)
        self.codes = (1, 1)

    def set_metadata(self, meta_dict: Mapping[str, Any] | None = None, resample: bool = True, **options: Any) -> None:
        """Take position and codes from metadata; only what was straightened is resampled, onto the file's own grid."""
        meta = dict(meta_dict or {})
        self.codes = tuple(int(code) for code in meta.get(CODES, (1, 1)))  # type: ignore[assignment]
        if FILE_AFFINE not in meta:
            super().set_metadata(meta, resample=False)
            return
        whole = np.issubdtype(np.dtype(self.output_dtype), np.integer)
        meta |= {"original_affine": np.asarray(meta[FILE_AFFINE]), "spatial_shape": np.asarray(meta[FILE_SHAPE])}
        super().set_metadata(meta, resample=True, mode="nearest" if whole else "bilinear", padding_mode="zeros")

    def write(self, filename: Any, verbose: bool = False, **obj_kwargs: Any) -> None:
        """Write the file."""
        affine = to_affine_nd(3, np.eye(4) if self.affine is None else np.asarray(self.affine))
        made = self.create_backend_obj(self.data_obj, affine=affine, dtype=self.output_dtype, **obj_kwargs)
        header = made.header.copy()
        header.set_xyzt_units("mm")
        header.set_qform(affine, code=self.codes[1], strip_shears=True)
        header.set_sform(affine, code=self.codes[0])
        nib.save(nib.Nifti1Image(made.dataobj, None, header), filename)  # with an affine nibabel would choose the codes
