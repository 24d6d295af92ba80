"""NIfTI-1 and -2, single files and pairs: geometry by the codes of the header, values by its slope."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import isfinite, prod
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from .content import check_length, head_of, kind_of, read_exactly, unpacked, wrong_content
from .formats import UnusableImageError, suffix_of
from .opened import OpenImage, opened

NAMED = "a NIfTI file"
INTENT_LABEL = 1002
MM_OF_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
UNIT_NAMES = {1: "metres", 3: "micrometres"}
CONTRADICTION = 0.01


def open_nifti(path: Path) -> OpenImage:
    """Read the header of a NIfTI file, packed or not whatever its name.

    Raises:
        UnusableImageError: it cannot be used, with the reason.
    """
    header, data = _header(path)
    dtype = _dtype(header)
    shape, channels = _shape(header)
    slope, inter = _scaling(header)
    code = int(header["xyzt_units"]) & 7
    if code not in MM_OF_UNIT:
        raise UnusableImageError(f"has the unit {code} (xyzt_units), which is none; correct the header")
    factor = MM_OF_UNIT[code]
    lengths = np.abs(np.asarray(header["pixdim"], dtype=float)[1 : 1 + len(shape)])
    affine, unoriented, oddity = _affine(header, [*shape, 1, 1][:3])
    affine[:3] *= factor
    offset = _offset(header, path)
    check_length(data, offset + prod(shape) * channels * dtype.itemsize)
    if not unoriented:
        _check_pixdim(affine, lengths * factor)
    stored = (*shape, channels) if channels > 1 else shape
    try:
        return opened(
            shape,
            affine,
            partial(_load, data, offset, stored, dtype, slope, inter),
            channels,
            np.dtype(np.float32) if slope is not None and (slope, inter % 1) != (1, 0) else dtype,
            unoriented=unoriented,
            marked="is a label map according to its header (intent code 1002)"
            if int(header["intent_code"]) == INTENT_LABEL
            else "",
            oddity=oddity,
            codes=(max(int(header["sform_code"]), 0), max(int(header["qform_code"]), 0)),
        )
    except UnusableImageError as error:
        if code in UNIT_NAMES and "spacing" in str(error):
            raise UnusableImageError(f"{error} (xyzt_units says {UNIT_NAMES[code]})") from None
        raise


def _header(path: Path) -> tuple[Any, Path]:
    """Return the header, unchecked by nibabel, and the file of the voxels."""
    head = head_of(path)
    with unpacked(path) as stream:
        sizes = {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")}
        for kind, size in ((nib.Nifti1Header, 348), (nib.Nifti2Header, 540)):
            if len(head) >= 348 and size in sizes:
                header = kind.from_fileobj(stream, check=False)
                break
        else:
            raise _no_header(path, head)
    magic = bytes(header["magic"].item())[:3]
    if suffix_of(path) != ".hdr":
        if magic not in (b"n+1", b"n+2"):
            raise wrong_content(path, NAMED)
        return header, path
    if magic not in (b"ni1", b"ni2"):
        raise UnusableImageError("is an Analyze file, whose header does not tell left from right; convert it to NIfTI")
    return header, data_of_pair(path)


def _no_header(path: Path, head: bytes) -> UnusableImageError:
    if (kind := kind_of(head)) and kind[0] == NAMED:
        size = int.from_bytes(head[:4], "little")
        return UnusableImageError(f"is damaged: its header says that it has {size} bytes, not 348 or 540 (sizeof_hdr)")
    return wrong_content(path, NAMED)


def _dtype(header: Any) -> np.dtype:
    try:
        dtype: np.dtype = header.get_data_dtype()
    except KeyError:
        code = int(header["datatype"])
        raise UnusableImageError(f"holds values of the type {code} (datatype), which is none that is known") from None
    if dtype.fields or dtype.kind not in "biuf":
        raise UnusableImageError(f"holds {'colours (RGB)' if dtype.fields else 'complex numbers'}, not grey values")
    return dtype


def data_of_pair(path: Path) -> Path:
    """Return the ``.img`` beside a ``.hdr``.

    Raises:
        UnusableImageError: there is none.
    """
    for end in (".img", ".IMG", ".img.gz"):
        if (data := path.with_name(path.name[: -len(".hdr")] + end)).is_file():
            return data
    raise UnusableImageError(f"lacks its voxels: {path.name[: -len('.hdr')]}.img is not there")


def _shape(header: Any) -> tuple[tuple[int, ...], int]:
    """Return the spatial axes and the number of channels, which is the length of the one further axis."""
    dim = [int(number) for number in header["dim"]]
    if not 1 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1]) < 1:
        raise UnusableImageError(f"is damaged: its header says dim {dim}")
    shape = dim[1 : dim[0] + 1]
    further = [length for length in shape[3:] if length > 1]
    if further and shape[0] == 1 and min(shape[1:3]) > 1:
        raise UnusableImageError(
            f"has {len(shape)} axes {tuple(shape)}, the first of length 1; the first three are those of space, so take "
            "that axis away, or put it last"
        )
    if len(further) > 1:
        raise UnusableImageError(f"has {len(shape)} axes {tuple(shape)}; store each channel and time as a 3D image")
    return tuple(shape[:3]), further[0] if further else 1


def _scaling(header: Any) -> tuple[float | None, float]:
    """Return slope and intercept; ``None`` for a slope that stands for "not scaled"."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if not isfinite(slope) or slope == 0:
        return None, 0.0
    if not isfinite(inter):
        raise UnusableImageError(
            f"has a slope of {slope:g} but an intercept of {inter} (scl_inter), so its values are not known; set it to "
            "0 if nothing is to be added"
        )
    return (None, 0.0) if (slope, inter) == (1, 0) else (slope, inter)


def _offset(header: Any, path: Path) -> int:
    offset = float(header["vox_offset"])
    least = 0 if suffix_of(path) == ".hdr" else int(header["sizeof_hdr"]) + 4
    if not isfinite(offset) or offset < 0 or offset % 1:
        raise UnusableImageError(f"is damaged: its header says that voxels begin at byte {offset:g}")
    return max(int(offset), least)


def _affine(header: Any, shape: Sequence[int]) -> tuple[np.ndarray, str, str]:
    """Return the affine that the codes name, why there is none, and what contradicts it."""
    s_code, q_code = int(header["sform_code"]), int(header["qform_code"])
    if s_code > 0:
        affine = np.array(header.get_sform(), dtype=float)
        return affine, "", _contradiction(header, affine, shape) if q_code == s_code else ""
    if q_code > 0:
        return _qform(header), "", ""
    lengths = np.abs(np.asarray(header["pixdim"], dtype=float)[1:4])
    reason = "has no orientation: sform_code and qform_code of its header are 0"
    return np.diag([*np.where(lengths > 0, lengths, 1.0), 1.0]), reason, ""


def _qform(header: Any) -> np.ndarray:
    """Return the affine of the qform; as the standard says, a factor (pixdim[0]) of 0 is 1 and lengths have no sign."""
    header = header.copy()
    header["pixdim"][:4] = [-1 if header["pixdim"][0] < 0 else 1, *np.abs(header["pixdim"][1:4])]
    try:
        return np.array(header.get_qform(), dtype=float)
    except ValueError as error:
        raise UnusableImageError("has no usable orientation: the quaternion of its qform is longer than 1") from error


def _contradiction(header: Any, affine: np.ndarray, shape: Sequence[int]) -> str:
    """Return that sform and qform, which claim the same space, place voxels differently by more than one."""
    try:
        other = _qform(header)
    except UnusableImageError:
        return ""
    corners = np.array([[i, j, k, 1] for i in (0, shape[0] - 1) for j in (0, shape[1] - 1) for k in (0, shape[2] - 1)])
    apart = float(np.linalg.norm(((affine - other) @ corners.T)[:3], axis=0).max())
    if not isfinite(apart) or apart <= np.linalg.norm(affine[:3, :3], axis=0).min():
        return ""
    return f"its sform and qform place voxels up to {apart:.1f} mm apart; the sform is used"


def _check_pixdim(affine: np.ndarray, lengths: np.ndarray) -> None:
    """Refuse a form that says other distances than pixdim, where pixdim says any."""
    found = np.linalg.norm(affine[:3, : len(lengths)], axis=0)
    for axis, (form, plain) in enumerate(zip(found, lengths, strict=True)):
        if plain > 0 and abs(form - plain) > CONTRADICTION * plain:
            raise UnusableImageError(
                f"has two spacings: its sform says {form:.4g} mm along axis {axis + 1}, its pixdim {plain:.4g} mm; "
                "correct the header so that both agree"
            )


def _load(
    data: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype, slope: float | None, inter: float
) -> np.ndarray:
    """Read the voxels in their own type; with slope and intercept as integers where they stay whole, else float32."""
    with unpacked(data) as stream:
        stream.seek(offset)
        buffer = read_exactly(stream, prod(shape) * dtype.itemsize)
    values = np.frombuffer(buffer, dtype).reshape(shape, order="F")
    values = values.astype(dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and told as such
            values = values.astype(np.float32, copy=False)
    if slope is None:
        return values
    if slope == 1 and inter % 1 == 0 and values.dtype.kind in "iu" and values.dtype.itemsize <= 4:
        return values.astype(np.int64 if values.dtype.itemsize == 4 else np.int32) + int(inter)
    scaled = values.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled *= np.float32(slope)
        scaled += np.float32(inter)
    return scaled
