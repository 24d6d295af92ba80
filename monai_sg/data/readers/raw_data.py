"""Voxels that a text header describes: where they lie, whether they are all there, and reading them."""

from __future__ import annotations

import bz2
import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import itk
import numpy as np

from .content import BLOCK, read_exactly
from .formats import UnusableImageError


@dataclass(frozen=True)
class RawData:
    """Voxels in one file.

    Args:
        path: the file.
        offset: byte at which they begin; -1 if they are the last bytes of the file.
        packing: ``""``, ``gzip``, ``bzip2`` or ``zlib``.
        packed_bytes: length of the packed voxels, 0 if not known.
    """

    path: Path
    offset: int = 0
    packing: str = ""
    packed_bytes: int = 0

    def check(self, expected: int) -> None:
        """Raise ``UnusableImageError`` if the file is absent or holds fewer bytes of voxels than expected."""
        if not self.path.is_file():
            raise UnusableImageError(f"lacks its voxels: {self.path.name}, which its header names, is not there")
        size = self.path.stat().st_size - max(self.offset, 0)
        if not self.packing:
            self._compare(size, expected)
        elif self.packed_bytes:
            self._compare(size, self.packed_bytes)
        elif self.packing == "gzip" and self._told_length() == expected % (1 << 32):
            return
        else:
            self._compare(self._unpacked_length(expected), expected)

    def _compare(self, there: int, expected: int) -> None:
        if there < expected:
            raise UnusableImageError(f"is cut short: {self.path.name} holds {max(there, 0)} of {expected} bytes")

    def _told_length(self) -> int:
        with open(self.path, "rb") as file:
            file.seek(-4, 2)
            return int.from_bytes(file.read(4), "little")

    def _unpacked_length(self, enough: int) -> int:
        length = 0
        try:
            with open(self.path, "rb") as file:
                stream = self._unpacking(file)
                while length < enough and (block := stream.read(BLOCK)):
                    length += len(block)
        except (EOFError, OSError, zlib.error) as error:
            raise UnusableImageError(f"is cut short or damaged: {self.path.name} cannot be unpacked") from error
        return length

    def read(self, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        """Return the voxels, first axis fastest, in the byte order of this machine."""
        number = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        try:
            with open(self.path, "rb") as file:
                if self.offset < 0:
                    file.seek(-number, 2)
                buffer = read_exactly(self._unpacking(file), number)
        except (EOFError, OSError, zlib.error) as error:
            raise UnusableImageError(f"is cut short or damaged: {self.path.name} cannot be unpacked") from error
        values = np.frombuffer(buffer, dtype).reshape(shape, order="F")
        return values.astype(dtype.newbyteorder("="), copy=False)

    def _unpacking(self, file: IO[bytes]) -> IO[bytes] | _Inflated | gzip.GzipFile | bz2.BZ2File:
        if self.offset > 0:
            file.seek(self.offset)
        if self.packing == "gzip":
            return gzip.GzipFile(fileobj=file)
        if self.packing == "bzip2":
            return bz2.BZ2File(file)
        return _Inflated(file) if self.packing == "zlib" else file


class _Inflated:
    """A zlib stream, read like a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.inflater = zlib.decompressobj()

    def read(self, number: int) -> bytes:
        """Return at most ``number`` bytes, none at the end."""
        while not self.inflater.eof:
            block = self.inflater.unconsumed_tail or self.file.read(BLOCK)
            out = self.inflater.decompress(block, number)
            if out or not block:
                return out
        return b""

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of ``view`` and return how much of it."""
        block = self.read(len(view))
        view[: len(block)] = block
        return len(block)


def itk_load(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read with ITK what is stored in a rare way: as text, in hexadecimal, or in a list of files."""
    try:
        values = np.asarray(itk.array_from_image(itk.imread(str(path)))).T
    except RuntimeError as error:
        raise UnusableImageError(
            "is damaged: its voxels, stored as text or in several files, cannot be read"
        ) from error
    return values.reshape(shape) if values.size == np.prod(shape) else values
