"""DICOM files: what the header of one image says, and reading a film."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from sys import intern
from tempfile import NamedTemporaryFile
from typing import Any

import itk
import numpy as np
import pydicom
from pydicom.pixels import apply_voi_lut
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from .content import HEAD, is_dicom_head
from .formats import DICOM, UnusableImageError, first_line
from .opened import OpenImage, opened

FILMS = {"CR", "DX", "MG", "PX", "RG", "IO"}
GREY = ("MONOCHROME1", "MONOCHROME2", "")
PLAIN = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
MAX_REMEMBERED = 1 << 18  # about a thousand scans; 0.7 kB each
TAGS = [
    "SOPClassUID", "SOPInstanceUID", "Modality", "SeriesInstanceUID", "PatientID", "ImageType", "NumberOfFrames",
    "SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "PixelSpacing", "ImagerPixelSpacing", "ImagePositionPatient",
    "ImageOrientationPatient", "BitsStored", "PixelRepresentation", "PhotometricInterpretation",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slice:
    """The header of one DICOM image; ``spacing`` (along x, y), ``position`` and ``orientation`` are empty if absent."""

    file: str
    series: str
    instance: str
    patient: str
    modality: str
    shape: tuple[int, int]
    spacing: tuple[float, ...]
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    syntax: str

    @property
    def path(self) -> Path:
        """The file as a path, which takes as much memory as all else and is therefore not kept."""
        return Path(self.file)

    @property
    def is_film(self) -> bool:
        """Whether the image is a projection, that is a 2D image of its own."""
        return self.modality in FILMS


def is_dicom(path: Path) -> bool:
    """Return whether a file is DICOM by its name, or by how it starts, with the usual preamble or without."""
    if path.suffix.lower() in DICOM:
        return True
    try:
        with open(path, "rb") as file:
            return is_dicom_head(file.read(HEAD))
    except OSError:
        return False


def read_slice(path: Path) -> Slice:
    """Read the header of one DICOM file up to its pixels; it is remembered as long as the file stays the same.

    Raises:
        UnusableImageError: the file is not a single grey image, with the reason.
    """
    try:
        stat = path.stat()
        return _read_slice(str(path), stat.st_size, stat.st_mtime_ns)
    except UnusableImageError:
        raise
    except Exception as error:  # pydicom raises many kinds on damaged headers; the file is lost, the reason is kept
        raise UnusableImageError(f"is not readable DICOM ({type(error).__name__}: {first_line(error)})") from error


@lru_cache(MAX_REMEMBERED)  # the scan, the need of disk and the volume itself ask for the same headers
def _read_slice(file: str, size: int, mtime_ns: int) -> Slice:
    with open(file, "rb") as stream:
        header = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=list(TAGS))
        there = size - stream.tell()
    found = _slice_from(file, header)
    expected = found.shape[0] * found.shape[1] * int(header.BitsAllocated) // 8
    if header.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian) in PLAIN and there < expected:
        raise UnusableImageError(f"is cut short: {there} bytes for {expected} bytes of pixels")
    return found


def _slice_from(file: str, header: pydicom.Dataset) -> Slice:
    modality = str(header.get("Modality", "") or "").strip()
    frames = int(header.get("NumberOfFrames", 1) or 1)
    syntax = header.file_meta.get("TransferSyntaxUID")
    if not header.get("SOPClassUID"):
        raise UnusableImageError("is not readable DICOM: it names no kind of object (SOPClassUID)")
    if modality == "SEG":
        raise UnusableImageError("is a DICOM segmentation (SEG), not an image")
    if not header.get("Rows") or not header.get("Columns"):
        kind = modality or UID(str(header.SOPClassUID)).name
        raise UnusableImageError(f"is a DICOM object without pixels ({kind}), not an image")
    if modality == "RTDOSE":
        raise UnusableImageError("is a DICOM dose distribution (RTDOSE), not an image")
    if frames > 1 or "Enhanced" in UID(str(header.SOPClassUID)).name:
        raise UnusableImageError(f"is a multi-frame DICOM file ({frames} frames); convert it to NIfTI with dcm2niix")
    if int(header.get("SamplesPerPixel", 1) or 1) > 1:
        raise UnusableImageError("is a DICOM image in colour, not grey values")
    _check_bits(header)
    if "LOCALIZER" in [str(value).upper() for value in header.get("ImageType", []) or []]:
        raise UnusableImageError("is a localiser (scout view)")
    spacing = _numbers(header, "PixelSpacing")
    if modality in FILMS and not spacing:  # of a slice it would be the distance on the detector, not in the body
        spacing = _numbers(header, "ImagerPixelSpacing")
    return Slice(
        file=file,
        series=intern(str(header.get("SeriesInstanceUID", "") or "")),
        instance=str(header.get("SOPInstanceUID", "") or ""),
        patient=intern(str(header.get("PatientID", "") or "").strip()),
        modality=intern(modality),
        shape=(int(header.Columns), int(header.Rows)),
        spacing=_shared(spacing[::-1]),
        position=_numbers(header, "ImagePositionPatient"),
        orientation=_shared(_numbers(header, "ImageOrientationPatient")),
        syntax=intern(UID(str(syntax)).name if syntax else "not named"),
    )


def _check_bits(header: pydicom.Dataset) -> None:
    """Refuse pixels of a layout that cannot be; GDCM ends the process at some of them."""
    allocated = int(header.get("BitsAllocated") or 0)
    stored = int(header.get("BitsStored") or allocated)
    if allocated not in (8, 16, 32) or not 0 < stored <= allocated:
        raise UnusableImageError(f"has pixels that cannot be: BitsAllocated {allocated}, BitsStored {stored}")
    if header.get("PixelRepresentation", 0) not in (0, 1):
        raise UnusableImageError(f"has pixels that cannot be: PixelRepresentation {header.PixelRepresentation}")
    if (kind := header.get("PhotometricInterpretation", "MONOCHROME2")) not in GREY:
        raise UnusableImageError(f"is not in grey values (PhotometricInterpretation {kind})")


@lru_cache(1 << 12)  # the slices of a series hold one object, not one each
def _shared(numbers: tuple[float, ...]) -> tuple[float, ...]:
    return numbers


def _numbers(header: pydicom.Dataset, name: str) -> tuple[float, ...]:
    value: Any = header.get(name)
    return tuple(float(number) for number in value) if value else ()


def open_film(path: Path) -> OpenImage:
    """Read the header of a DICOM film, whose pixels are 1 mm apart where it does not say it; see `as_shown`.

    Raises:
        UnusableImageError: it cannot be used, with the reason.
    """
    film = read_slice(path)
    spacing = film.spacing if len(film.spacing) == 2 else (1.0, 1.0)

    def load() -> np.ndarray:
        pixels = read_pixels(film)
        return as_shown(pixels, pydicom.dcmread(path, stop_before_pixels=True, force=True)) if film.is_film else pixels

    return opened(film.shape, np.diag([*spacing, 1.0, 1.0]), load)


def as_shown(pixels: np.ndarray, header: pydicom.Dataset) -> np.ndarray:
    """Return the pixels of a film by the first lookup table or window (VOI LUT) of its header, bright where bone is.

    The films of ChestX-ray14 were stored so. A window that shows nothing of the film is passed over.

    Args:
        pixels: as `read_pixels` gives them: ITK has inverted those of MONOCHROME1, before slope and intercept.
        header: of the film.
    """
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
    try:
        bits = int(header.get("BitsStored") or header.BitsAllocated)
        ends = -1 if header.get("PixelRepresentation") else 2**bits - 1  # lowest plus highest value
        ends = float(header.get("RescaleSlope") or 1) * ends + 2 * float(header.get("RescaleIntercept") or 0)
        shown = ends - pixels if inverted else pixels
        if table := header.get("VOILUTSequence"):
            shown, ends = np.rint(shown).astype(np.int32), 2 ** table[0].LUTDescriptor[2] - 1
        shown = apply_voi_lut(shown, header)
    except (ValueError, TypeError, AttributeError, IndexError, NotImplementedError):  # no window or table that can be
        return pixels
    if not shown.min() < shown.max():
        return pixels
    return (ends - shown if inverted else shown).astype(np.float32)


def read_pixels(item: Slice) -> np.ndarray:
    """Read the pixels (x, y) of one image with ITK, in the units of its slope and intercept.

    Raises:
        UnusableImageError: they cannot be decoded, or have another size than the header says.
    """
    try:
        pixels = itk.array_from_image(itk.imread(item.file, itk.F)).T
    except RuntimeError as error:
        name = item.path.name
        if (found := _without_preamble(item.path)) is None:
            raise UnusableImageError(
                f"cannot be read: {name} is damaged or compressed in an unknown way ({item.syntax!r})"
            ) from error
        pixels = found.T
    if pixels.size != item.shape[0] * item.shape[1]:
        raise UnusableImageError(f"cannot be read: {item.path.name} holds {pixels.shape} pixels, not {item.shape}")
    return np.asarray(pixels.reshape(item.shape))


def _without_preamble(path: Path) -> np.ndarray | None:
    """Read the pixels (rows, columns) of a file that lacks its first 132 bytes, which GDCM does not read."""
    content = path.read_bytes()
    if content[128:132] == b"DICM" or not is_dicom_head(content[:HEAD]):
        return None
    with NamedTemporaryFile(suffix=".dcm") as whole:
        whole.write(bytes(128) + b"DICM" + content)
        whole.flush()
        try:
            return np.asarray(itk.array_from_image(itk.imread(whole.name, itk.F)))
        except RuntimeError:
            return None
