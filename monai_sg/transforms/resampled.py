"""The resampling of the volume cache as a MONAI transform that can be undone."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform
from monai.utils import TraceKeys, ensure_tuple_rep

from ..utils.errors import UserError
from .resampling import AxisGrid, grid_of_size, grid_of_spacing, resample


class Resampled(MapTransform, InvertibleTransform):
    """Resample images to a spacing or a size, averaging where the grid gets coarser, and labels to the nearest voxel.

    MONAI's ``Spacingd`` and ``Resized`` read single points, so that noise and thin structures alias on a coarser grid,
    and crops of the volume cache would look different from images resampled by them. The grids are theirs.

    Args:
        keys: images ``(C, *spatial)`` with metadata.
        pixdim: mm per axis.
        spatial_size: voxels per axis, -1 for an axis to be kept; instead of ``pixdim``.
        mode: ``"bilinear"`` or ``"nearest"``, one for all keys or one for each.
        allow_missing_keys: do not raise when a key is missing.

    Raises:
        ValueError: when not exactly one of ``pixdim`` and ``spatial_size`` is given, or a mode is another; from a call,
            when there is not one number per axis.

    Example:
        >>> image = MetaTensor(torch.rand(1, 8, 8, 8), affine=torch.eye(4))
        >>> Resampled("image", pixdim=(2.0, 2.0, 4.0))({"image": image})["image"].shape
        torch.Size([1, 5, 5, 3])
    """

    def __init__(
        self,
        keys: KeysCollection,
        pixdim: Sequence[float] | None = None,
        spatial_size: Sequence[int] | None = None,
        mode: Sequence[str] | str = "bilinear",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if (pixdim is None) == (spatial_size is None):
            raise UserError(f"pixdim is {pixdim} and spatial_size {spatial_size}; give one of the two.")
        self.pixdim = pixdim
        self.spatial_size = spatial_size
        self.mode: tuple[str, ...] = ensure_tuple_rep(mode, len(self.keys))
        if unknown := set(self.mode) - {"bilinear", "nearest"}:
            raise UserError(f"mode is {unknown.pop()!r}; bilinear for images and nearest for labels are offered.")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the dictionary with its images resampled, as float32."""
        out = dict(data)
        for key, mode in self.key_iterator(out, self.mode):
            image, grid = out[key], self._grid(out[key])
            out[key] = moved = _on_grid(image, grid, mode)
            trace = {"mode": mode, "grid": [list(line) for line in grid]}
            self.push_transform(moved, orig_size=image.shape[1:], extra_info=trace)
        return out

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the dictionary with its images, or predictions that carry their trace, on the grid they came from."""
        out = dict(data)
        for key in self.key_iterator(out):
            trace = self.pop_transform(out[key])
            info, size = trace[TraceKeys.EXTRA_INFO], trace[TraceKeys.ORIG_SIZE]
            grid = [AxisGrid(*line).reversed(int(length)) for line, length in zip(info["grid"], size, strict=True)]
            out[key] = _on_grid(out[key], grid, info["mode"])
        return out

    def _grid(self, image: MetaTensor) -> list[AxisGrid]:
        shape = tuple(image.shape[1:])
        if self.spatial_size is not None:
            sizes = zip(shape, self.spatial_size, strict=len(shape) == len(self.spatial_size))
            return grid_of_size(shape, [own if wanted == -1 else wanted for own, wanted in sizes])
        return grid_of_spacing(shape, image.pixdim.tolist(), self.pixdim or ())


def _on_grid(image: MetaTensor, grid: Sequence[AxisGrid], mode: str) -> MetaTensor:
    values = resample(image.as_tensor().cpu().numpy(), grid, nearest=mode.startswith("nearest"))
    moved = MetaTensor(torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(image.device))
    moved.copy_meta_from(image)
    change = np.eye(len(image.affine))
    for axis, line in enumerate(grid):
        change[axis, axis], change[axis, -1] = line.step, line.offset
    moved.affine = image.affine @ torch.from_numpy(change).to(image.affine)
    return moved
