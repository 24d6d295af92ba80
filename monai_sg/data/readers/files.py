"""One image file of any format (not DICOM): its header, and the other files that belong to it."""

from __future__ import annotations

from pathlib import Path

from . import metaimage, nrrd
from .formats import META, NIFTI, NRRD, NUMPY, SPACING_FILE, TIFF, UnusableImageError, suffix_of, unreadable
from .nifti import data_of_pair, open_nifti
from .opened import ImageHeader, OpenImage
from .pictures import open_picture


def open_file(path: Path, is_label: bool = False) -> OpenImage:
    """Read the header of an image file, so that its voxels can be read too.

    Args:
        path: the file; its suffix says the format, its content whether it is packed.
        is_label: whether its values name things, so that palette pictures keep their indices.

    Raises:
        UnusableImageError: the file cannot be used, with the reason.
    """
    suffix = suffix_of(path)
    try:
        if suffix in NIFTI:
            return open_nifti(path)
        if suffix in META:
            return metaimage.open_metaimage(path)
        return nrrd.open_nrrd(path) if suffix in NRRD else open_picture(path, is_label)
    except UnusableImageError:
        raise
    except Exception as error:  # each library has its own errors; the file is lost for this run, the reason is kept
        raise unreadable(error) from error


def check_image(image: OpenImage, unoriented: bool = False) -> OpenImage:
    """Return an image if it is one of a single channel that `check_place` lets pass.

    Raises:
        UnusableImageError: it has several channels, or cannot be used.
    """
    if image.channels > 1 and len(image.shape) == 2:
        raise UnusableImageError("is a colour picture, not grey values")
    if image.channels > 1:
        raise UnusableImageError(
            f"has {len(image.shape) + 1} axes {(*image.shape, image.channels)}: several channels or time points; store "
            "each as a 3D image"
        )
    return check_place(image, unoriented)


def check_place(image: OpenImage, unoriented: bool = False) -> OpenImage:
    """Return an image if it is no label map and in a known place, or if ``unoriented`` ones are accepted.

    Raises:
        UnusableImageError: it is marked as a label map, or its place is not known.
    """
    if image.marked:
        raise UnusableImageError(image.marked)
    if image.unoriented and not unoriented:
        raise UnusableImageError(
            f"{image.unoriented}; correct the header, or give accept_unoriented to take its axes as they are stored"
        )
    return image


def read_header(path: Path, unoriented: bool = False) -> ImageHeader:
    """Return shape and spacing of a file of grey values; see `check_image`."""
    return check_image(open_file(path), unoriented).header


def companions(path: Path) -> list[Path]:
    """Return the files that belong to an image file, of those that are there: its voxels, the spacing of an array."""
    suffix = suffix_of(path)
    others: list[Path] = []
    try:
        if suffix == ".mhd":
            others = metaimage.data_files(path)
        elif suffix in NRRD:
            others = nrrd.data_files(path)
        elif suffix == ".hdr":
            others = [data_of_pair(path)]
    except (UnusableImageError, OSError, ValueError, KeyError, IndexError):  # named when the image is opened
        others = []
    if suffix in (*NUMPY, *TIFF):
        others.append(path.with_name(SPACING_FILE))
    return [file for file in others if file.is_file()]
