"""Cohorts of phantom CT scans, written as the public data sets lie on disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...utils.errors import UserError
from ...utils.files import write_atomic
from .body import Phantom, make_phantom
from .lesions import Lesion
from .nifti import write_nifti
from .patient import ORGANS

UID_ROOT = "1.2.826.0.1.3680043.10.9999"
SUBSETS = 10
LEAST_SHAPE = (32, 24, 24)


def write_ct_cohort(
    folder: str | Path,
    patients: int = 32,
    seed: int = 0,
    *,
    layout: str = "luna16",
    shape: Sequence[int] = (124, 96, 98),
    numbers: Sequence[int] | None = None,
) -> Path:
    """Write phantom CT scans of thorax and upper abdomen, made from nothing but the seed.

    The field of view is about 372 x 288 x 294 mm, so the spacing follows from ``shape``: 3 mm for the default, which
    takes about 0.4 s per patient, and 6 mm for ``(64, 48, 48)``, which takes 0.1 s. Patient n is the same person in
    every layout and in a cohort of any size. The same arguments write the same bytes.

    Args:
        folder: where the cohort is written; files of the same name are replaced.
        patients: number of patients, one scan each.
        seed: number of the cohort.
        layout: ``luna16`` (``subset0/<uid>.mhd`` and ``.raw`` to ``subset9``, ``annotations.csv``,
            ``candidates.csv``), ``lits`` (``volume-N.nii``, ``segmentation-N.nii`` with 1 liver and 2 tumour) or
            ``nifti`` (``images/<uid>.nii.gz``, ``labels/<uid>.nii.gz`` with the organ numbers of `ORGANS`).
        shape: voxels along x, y and z of an average scan; each patient's differs by up to 4 %.
        numbers: write these patients instead of 0 to ``patients - 1``; ``patients`` is then not used.

    Returns:
        ``folder``.

    Raises:
        ValueError: for an unknown layout, no patients, wrong numbers, or a shape too small to hold a chest.
    """
    if layout not in LAYOUTS:
        raise UserError(f"layout is {layout!r}; the phantom is written as one of {sorted(LAYOUTS)}.")
    numbers = _patient_numbers(patients, numbers)
    if len(shape) != 3 or any(size < least for size, least in zip(shape, LEAST_SHAPE, strict=True)):
        raise UserError(f"shape is {tuple(shape)}; a chest needs three axes of at least {LEAST_SHAPE} voxels.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    LAYOUTS[layout](folder, numbers, seed, shape)
    return folder


def _patient_numbers(patients: int, numbers: Sequence[int] | None) -> list[int]:
    if numbers is None and patients < 1:
        raise UserError(f"patients is {patients}; a cohort has at least one patient.")
    numbers = list(range(patients) if numbers is None else numbers)
    if not numbers or min(numbers) < 0 or len(set(numbers)) < len(numbers):
        raise UserError(f"numbers is {numbers}; give different numbers from 0 on, one per patient.")
    return numbers


def series_uid(seed: int, number: int) -> str:
    """Name of a phantom scan, in the form of a DICOM SeriesInstanceUID."""
    return f"{UID_ROOT}.{seed}.{number}"


def _write_luna16(folder: Path, numbers: Sequence[int], seed: int, shape: Sequence[int]) -> None:
    annotations, candidates = ["seriesuid,coordX,coordY,coordZ,diameter_mm"], ["seriesuid,coordX,coordY,coordZ,class"]
    for subset in range(SUBSETS):
        (folder / f"subset{subset}").mkdir(exist_ok=True)
    for number in numbers:
        uid, phantom = series_uid(seed, number), make_phantom(seed, number, shape)
        _write_mhd(folder / f"subset{number % SUBSETS}" / f"{uid}.mhd", phantom)
        annotations += [f"{uid},{_lps(nodule)},{nodule.diameter:.8f}" for nodule in phantom.nodules]
        rows = [(_lps(nodule), 1) for nodule in phantom.nodules] + [(_lps(decoy), 0) for decoy in phantom.decoys]
        candidates += [f"{uid},{place},{kind}" for place, kind in rows]
    _write_text(folder / "annotations.csv", annotations)
    _write_text(folder / "candidates.csv", candidates)


def _write_lits(folder: Path, numbers: Sequence[int], seed: int, shape: Sequence[int]) -> None:
    for number in numbers:
        phantom = make_phantom(seed, number, shape)
        liver = (phantom.labels == ORGANS["liver"]) + 2 * (phantom.labels == ORGANS["liver_tumour"])
        write_nifti(folder / f"volume-{number}.nii", *_to_lps(phantom.hu, phantom.affine))
        write_nifti(folder / f"segmentation-{number}.nii", *_to_lps(liver.astype(np.uint8), phantom.affine))


def _write_organs(folder: Path, numbers: Sequence[int], seed: int, shape: Sequence[int]) -> None:
    for number in numbers:
        uid, phantom = series_uid(seed, number), make_phantom(seed, number, shape)
        write_nifti(folder / "images" / f"{uid}.nii.gz", *_to_lps(phantom.hu, phantom.affine))
        write_nifti(folder / "labels" / f"{uid}.nii.gz", *_to_lps(phantom.labels, phantom.affine))


LAYOUTS: dict[str, Callable[[Path, Sequence[int], int, Sequence[int]], None]] = {
    "luna16": _write_luna16,
    "lits": _write_lits,
    "nifti": _write_organs,
}


def _lps(lesion: Lesion) -> str:
    """World coordinates of a lesion as LUNA16 writes them: x to the left, y to the back, z up."""
    x, y, z = lesion.centre
    return f"{-x:.8f},{-y:.8f},{z:.8f}"


def _to_lps(array: NDArray[np.generic], affine: NDArray[np.float64]) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """Store x from right to left and y from front to back, as scanners do; gives the array and its RAS affine."""
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    flip[:2, 3] = np.array(array.shape[:2]) - 1
    return np.ascontiguousarray(array[::-1, ::-1]), affine @ flip


def _write_mhd(path: Path, phantom: Phantom) -> None:
    """Write a MetaImage header and its raw voxels; the header, which makes the scan visible, comes last."""
    import itk

    array, affine = _to_lps(phantom.hu, phantom.affine)
    image = itk.image_from_array(np.ascontiguousarray(array.transpose(2, 1, 0)))
    image.SetSpacing(np.abs(np.diag(affine)[:3]).tolist())
    image.SetOrigin((affine[:3, 3] * [-1, -1, 1]).tolist())
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as temporary:
        itk.imwrite(image, str(Path(temporary) / path.name))
        for name in (path.with_suffix(".raw").name, path.name):
            os.replace(Path(temporary) / name, path.parent / name)


def _write_text(path: Path, lines: Sequence[str]) -> None:
    write_atomic(path, lambda file: file.write(("\n".join(lines) + "\n").encode()))
