"""DICOM folders: which files form a volume or a film, and why a series cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from .formats import MIN_SLICES, ImageHeader, UnusableImageError, first_line

FILMS = {"CR", "DX", "MG", "PX", "RG", "IO"}
GAP_TOLERANCE = 0.1
MAX_TILT_DEGREES = 1.0
TAGS = [
    "SOPClassUID", "Modality", "SeriesInstanceUID", "PatientID", "ImageType", "NumberOfFrames", "SamplesPerPixel",
    "Rows", "Columns", "PixelSpacing", "ImagerPixelSpacing", "ImagePositionPatient", "ImageOrientationPatient",
]  # fmt: skip


@dataclass(frozen=True)
class Slice:
    """The header of one DICOM image; ``position`` and ``orientation`` are empty where the header has none."""

    path: Path
    series: str
    patient: str
    modality: str
    shape: tuple[int, int]
    spacing: tuple[float, float]
    position: tuple[float, ...]
    orientation: tuple[float, ...]

    @property
    def is_film(self) -> bool:
        """Whether the image is a projection, that is a 2D image of its own."""
        return self.modality in FILMS


def is_dicom(path: Path) -> bool:
    """Return whether a file starts like DICOM; files called ``.dcm`` count without the usual preamble."""
    if path.suffix.lower() in (".dcm", ".dicom", ".ima"):
        return True
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_slice(path: Path) -> Slice:
    """Read the header of one DICOM file up to its pixels.

    Raises:
        UnusableImageError: the file is not a single grey image, with the reason.
    """
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(TAGS))
        return _slice_from(path, header)
    except UnusableImageError:
        raise
    except Exception as error:  # pydicom raises many kinds on damaged headers; the file is lost, the reason is kept
        raise UnusableImageError(f"is not readable DICOM ({type(error).__name__}: {first_line(error)})") from error


def _slice_from(path: Path, header: pydicom.Dataset) -> Slice:
    modality = str(header.get("Modality", "") or "").strip()
    frames = int(header.get("NumberOfFrames", 1) or 1)
    if not header.get("SOPClassUID"):
        raise UnusableImageError("is not readable DICOM: it names no kind of object (SOPClassUID)")
    if modality == "SEG":
        raise UnusableImageError("is a DICOM segmentation (SEG), not an image")
    if not header.get("Rows") or not header.get("Columns"):
        kind = modality or pydicom.uid.UID(str(header.SOPClassUID)).name
        raise UnusableImageError(f"is a DICOM object without pixels ({kind}), not an image")
    if modality == "RTDOSE":
        raise UnusableImageError("is a DICOM dose distribution (RTDOSE), not an image")
    if frames > 1 or "Enhanced" in pydicom.uid.UID(str(header.SOPClassUID)).name:
        raise UnusableImageError(f"is a multi-frame DICOM file ({frames} frames); convert it to NIfTI with dcm2niix")
    if int(header.get("SamplesPerPixel", 1) or 1) > 1:
        raise UnusableImageError("is a DICOM image in colour, not grey values")
    if "LOCALIZER" in [str(value).upper() for value in header.get("ImageType", []) or []]:
        raise UnusableImageError("is a localiser (scout view)")
    spacing = _numbers(header, "PixelSpacing") or _numbers(header, "ImagerPixelSpacing") or (1.0, 1.0)
    return Slice(
        path=path,
        series=str(header.get("SeriesInstanceUID", "") or ""),
        patient=str(header.get("PatientID", "") or "").strip(),
        modality=modality,
        shape=(int(header.Columns), int(header.Rows)),
        spacing=(spacing[1], spacing[0]),
        position=_numbers(header, "ImagePositionPatient"),
        orientation=_numbers(header, "ImageOrientationPatient"),
    )


def _numbers(header: pydicom.Dataset, name: str) -> tuple[float, ...]:
    value: Any = header.get(name)
    return tuple(float(number) for number in value) if value else ()


def files_of_series(folder: Path, series: str) -> list[Path]:
    """Return the files of one series in a folder, ordered along the slice normal.

    Raises:
        UnusableImageError: the series is absent or its slices do not form a volume.
    """
    slices = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and is_dicom(path):
            try:
                slices.append(read_slice(path))
            except UnusableImageError:  # not a slice of a volume; the scan has named it
                continue
    chosen = [item for item in slices if item.series == series]
    if not chosen:
        raise UnusableImageError(f"holds no image of the series {series}")
    check_series(chosen)
    return [item.path for item in sort_slices(chosen)]


def sort_slices(slices: Iterable[Slice]) -> list[Slice]:
    """Order slices by their position along the slice normal."""
    slices = list(slices)
    normal = _normal(slices[0])
    return sorted(slices, key=lambda item: (float(np.dot(item.position, normal)), item.path.name))


def _normal(item: Slice) -> np.ndarray:
    return np.cross(item.orientation[:3], item.orientation[3:])


def check_series(slices: list[Slice]) -> ImageHeader:
    """Return shape and spacing of the volume that the slices of a series form.

    Raises:
        UnusableImageError: too few slices, slices without position, of different size or direction, missing, repeated
            or at uneven distance, or a tilted gantry, with the numbers.
    """
    if len(slices) < MIN_SLICES:
        noun = "slice" if len(slices) == 1 else "slices"
        raise UnusableImageError(f"has {len(slices)} {noun}, at least {MIN_SLICES} are needed")
    unplaced = [item for item in slices if len(item.position) != 3 or len(item.orientation) != 6]
    if unplaced:
        raise UnusableImageError(
            f"has {len(unplaced)} of {len(slices)} slices without position, {unplaced[0].path.name}"
        )
    shapes = sorted({item.shape for item in slices})
    if len(shapes) > 1:
        raise UnusableImageError(f"has slices of different size, {shapes[0]} and {shapes[1]}")
    directions = np.array([item.orientation for item in slices])
    if np.abs(directions - directions[0]).max() > 0.01:
        raise UnusableImageError("has slices of different direction (several planes in one series)")
    ordered = sort_slices(slices)
    gap = _check_gaps(ordered)
    return ImageHeader((*ordered[0].shape, len(ordered)), (*ordered[0].spacing, gap))


def _check_gaps(ordered: list[Slice]) -> float:
    """Return the distance of the slices in mm, or refuse repeated and uneven ones and a tilted gantry."""
    positions = np.array([item.position for item in ordered])
    along = positions @ _normal(ordered[0])
    repeats = Counter(np.round(along, 2).tolist())
    position, number = repeats.most_common(1)[0]
    if number > 1 and len(set(repeats.values())) == 1:
        raise UnusableImageError(f"has {number} images at each of {len(repeats)} positions (time points or phases)")
    problems = [f"duplicate slices ({number} at {position:.2f} mm)"] if number > 1 else []
    places = np.array(sorted(repeats)) if number > 1 else along
    gaps = np.diff(places)
    step = float(np.median(gaps))
    odd = np.flatnonzero(np.abs(gaps - step) > GAP_TOLERANCE * step)
    if odd.size:
        multiple = gaps[odd] / step
        missing = bool((np.abs(multiple - multiple.round()) < GAP_TOLERANCE).all() and (multiple > 1.5).all())
        kind = "missing slices" if missing else "a variable distance of slices"
        start, stop = places[odd[0]], places[odd[0] + 1]
        problems.append(f"{kind} ({stop - start:.2f} mm from {start:.2f} to {stop:.2f} mm, usually {step:.2f} mm)")
    path = positions[-1] - positions[0]
    tilt = float(np.degrees(np.arccos(np.clip((along[-1] - along[0]) / np.linalg.norm(path), -1, 1))))
    if tilt > MAX_TILT_DEGREES:
        problems.append(f"a gantry tilt of {tilt:.1f} degrees")
    if problems:
        raise UnusableImageError("has " + " and ".join(problems))
    return step
