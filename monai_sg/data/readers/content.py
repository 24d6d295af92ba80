"""What a file holds by its first bytes, whatever its name."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .formats import UnusableImageError

HEAD = 352
GZIP = b"\x1f\x8b"
BLOCK = 1 << 20

KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"NRRD", "an NRRD file", ".nrrd"),
    (b"\x89PNG", "a PNG picture", ".png"),
    (b"\xff\xd8\xff", "a JPEG picture", ".jpg"),
    (b"II*\0", "a TIFF picture", ".tif"),
    (b"MM\0*", "a TIFF picture", ".tif"),
    (b"\x93NUMPY", "a NumPy array", ".npy"),
    (b"ObjectType", "a MetaImage", ".mha"),
    (b"NDims", "a MetaImage", ".mha"),
)
PACKED: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\xfd7zXZ", "packed by xz"),
    (b"BZh", "packed by bzip2"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
)
OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF"),
    (b"\x89HDF", "an HDF5 file"),
    (b"MATLAB", "a MATLAB file"),
    (b"CDF", "a netCDF file"),
)


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked once if they are gzip."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if head.startswith(GZIP):
        try:
            with gzip.open(path) as stream:
                return stream.read(HEAD)
        except (OSError, EOFError, zlib.error):
            return b""
    return head


def kind_of(head: bytes) -> tuple[str, str] | None:
    """Return what first bytes are, in words, and the suffix that fits; ``None`` if they are nothing that is read."""
    if head[344:347] in (b"n+1", b"ni1") or head[4:7] == b"n+2":
        return "a NIfTI file", ".nii"
    if is_dicom_head(head):
        return "a DICOM file", ".dcm"
    return next(((words, suffix) for magic, words, suffix in KINDS if head.startswith(magic)), None)


def is_dicom_head(head: bytes) -> bool:
    """Return whether first bytes are DICOM, with the usual preamble or, if they look like its elements, without."""
    if head[128:132] == b"DICM":
        return True
    if len(head) < 16 or head[:2] not in (b"\x08\0", b"\x02\0") or head[3]:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    return explicit or int.from_bytes(head[4:8], "little") < 256


def why_no_image(head: bytes) -> str | None:
    """Return what first bytes are that are no image at all, with what to do, or ``None``."""
    text = head.lstrip()[:64].lower()
    if not head:
        return "is empty or cannot be unpacked"
    if text.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the image itself; fetch it with 'git lfs pull'"
    if b"/annex/objects/" in head:
        return "is a pointer of git-annex, not the image itself; fetch it with 'git annex get'"
    if text.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "is a web page or XML, not an image; was a download refused?"
    if packed := next((words for magic, words in PACKED if head.startswith(magic)), ""):
        return f"is {packed} by its content; unpack it first"
    if other := next((words for magic, words in OTHERS if head.startswith(magic)), ""):
        return f"is {other} by its content, which is not read; convert it to NIfTI"
    if not any(head) and len(head) == HEAD:
        return "holds only zeros where its header should be; copy or download it again"
    return None


def wrong_content(path: Path, expected: str) -> UnusableImageError:
    """Return the error for a file that is not what its name says, with what it is."""
    head = head_of(path)
    if reason := why_no_image(head):
        return UnusableImageError(reason)
    if head.startswith(GZIP):
        return UnusableImageError("is packed by gzip twice; unpack it once")
    kind = kind_of(head)
    if kind is None:
        return UnusableImageError(f"is not {expected}, though its name says so, nor any other image that is read")
    return UnusableImageError(f"is {kind[0]} by its content, not {expected}; call it {kind[1]}")


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, through gzip if its content is gzip, whatever its name."""
    with open(path, "rb") as file:
        if file.read(2) == GZIP:
            with gzip.open(path) as stream:
                yield stream  # type: ignore[misc]
            return
        file.seek(0)
        yield file


def check_length(path: Path, expected: int) -> None:
    """Refuse a file whose content, unpacked, is shorter than its header says.

    A packed file tells its length, modulo 2^32, in its last four bytes; only if that differs it is unpacked.

    Raises:
        UnusableImageError: it is cut short, with both lengths, or damaged.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        packed = file.read(2) == GZIP
        if not packed:
            if size < expected:
                raise UnusableImageError(f"is cut short: {size} of {expected} bytes")
            return
        file.seek(max(0, size - 4))
        if int.from_bytes(file.read(4), "little") == expected % (1 << 32):
            return
    read = _unpacked_length(path, expected)
    if read < expected:
        raise UnusableImageError(f"is cut short: {read} of {expected} bytes")


def _unpacked_length(path: Path, enough: int) -> int:
    read = 0
    try:
        with gzip.open(path) as stream:
            while read < enough and (block := stream.read(BLOCK)):
                read += len(block)
    except (EOFError, OSError, zlib.error) as error:
        raise UnusableImageError("is cut short or damaged: it cannot be unpacked to its end") from error
    return read


def read_exactly(stream: Any, number: int) -> bytearray:
    """Read ``number`` bytes into one buffer.

    Raises:
        UnusableImageError: there are fewer.
    """
    buffer = bytearray(number)
    view, filled = memoryview(buffer), 0
    while filled < number:
        got = stream.readinto(view[filled : filled + BLOCK])
        if not got:
            raise UnusableImageError(f"is cut short: {filled} of {number} bytes of its voxels")
        filled += got
    return buffer
