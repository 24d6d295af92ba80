"""Names of image files, and the error of an image that cannot be used."""

from __future__ import annotations

from pathlib import Path, PurePath

from ...utils.errors import UserError

NIFTI = (".nii.gz", ".nii", ".hdr")
META = (".mhd", ".mha")
NRRD = (".nrrd", ".nhdr")
NUMPY = (".npy",)
TIFF = (".tif", ".tiff")
PICTURES = (".png", ".jpg", ".jpeg", *TIFF)
SUFFIXES = (*NIFTI, *META, *NRRD, *NUMPY, *PICTURES)
DICOM = (".dcm", ".dicom", ".ima")
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".xz", ".bz2", ".zst", ".7z", ".rar")
SPACING_FILE = "spacing.txt"


class UnusableImageError(UserError):
    """The image cannot be used; the message is a reason that reads well after its path.

    Args:
        reason: why; signs that cannot be printed, as a damaged header may have in a name, are written as escapes.
        path: which file, where it is not the image itself but, for example, its label map.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in reason))
        self.path = path


def suffix_of(path: PurePath) -> str:
    """Return the image suffix of a path in lower case (``.nii.gz`` counts as one), or its plain suffix."""
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), path.suffix.lower())


def stem_of(path: PurePath) -> str:
    """Return the file name without its image suffix."""
    suffix = suffix_of(path)
    return path.name[: -len(suffix)] if suffix in SUFFIXES else path.name


def spacing_in(folder: Path) -> tuple[float, ...] | None:
    """Return mm per axis from ``spacing.txt``, which gives it for the volumes of a folder that do not say it.

    Raises:
        UnusableImageError: the file does not hold three positive numbers.
    """
    file = folder / SPACING_FILE
    if not file.is_file():
        return None
    text = file.read_text(errors="replace").strip()
    try:
        spacing = tuple(float(number) for number in text.replace(",", " ").split())
    except ValueError:
        spacing = ()
    if len(spacing) != 3 or not all(0 < number < float("inf") for number in spacing):
        raise UnusableImageError(f"lies beside a {SPACING_FILE} that reads {text[:40]!r}, not three numbers in mm")
    return spacing


def first_line(error: BaseException) -> str:
    """Return the last non-empty line of an error's text, which for ITK holds the message, cut to 200 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"


def unreadable(error: BaseException) -> UnusableImageError:
    """Return the error for a file at which a library failed in its own way."""
    if isinstance(error, UnicodeEncodeError):
        return UnusableImageError("cannot be read in this locale, which lacks signs of its name; set LC_ALL=C.UTF-8")
    if isinstance(error, MemoryError):
        return UnusableImageError(f"needs more memory than there is ({first_line(error)})")
    return UnusableImageError(f"cannot be read ({type(error).__name__}: {first_line(error)})")
