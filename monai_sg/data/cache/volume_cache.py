"""Images made canonical once; afterwards reading a box costs what the box costs, not the volume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...transforms.resampling import grid_of_size, resample, resize
from ...utils.errors import AbsentError, UserError
from ...utils.files import write_atomic
from ..intensity import IntensityRange, Window, checked_range, scaled
from .index import CacheEntry, LabelEntry
from .stored import array_path, loaded, open_array, physical


class Channel(NamedTuple):
    """Stored integers ``(*spatial)`` of one channel; physical value = stored * ``scale`` + ``offset``."""

    stored: np.ndarray
    scale: float
    offset: float


class VolumeCache:
    """Read access to cached images and label maps, by id.

    What is read of an image of one channel has the axes of space alone; where there are several, they come first. It
    holds no open files, so it can be sent to worker processes.

    Args:
        cache_dir: folder that holds ``arrays`` and ``overviews``.
        entries: description of each image that can be read, in the order of the data list.
        skipped: reason for each image that cannot.
        labels: description of each label map that can be read.
    """

    def __init__(
        self,
        cache_dir: Path,
        entries: dict[str, CacheEntry],
        skipped: dict[str, str],
        labels: dict[str, LabelEntry] | None = None,
    ) -> None:
        self.cache_dir = cache_dir
        self.skipped = skipped
        self._entries = entries
        self._labels = labels or {}

    @property
    def ids(self) -> list[str]:
        """Ids that can be read, in the order of the data list."""
        return list(self._entries)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Voxels along each axis, per image."""
        return [entry.shape for entry in self._entries.values()]

    @property
    def spacings(self) -> list[tuple[float, ...]]:
        """Spacing along each axis in mm, per image."""
        return [entry.spacing for entry in self._entries.values()]

    @property
    def quantiles(self) -> dict[str, list[list[float]]]:
        """`foreground_quantiles` of each channel in physical units, by id."""
        return {name: entry.quantiles for name, entry in self._entries.items()}

    def __len__(self) -> int:
        return len(self._entries)

    def entry(self, name: str) -> CacheEntry:
        """Return the description of an image; ``KeyError`` with the reason for an id that is not there."""
        if name not in self._entries:
            raise KeyError(f"The image {name!r} is not in {self.cache_dir}: {self.skipped.get(name, 'unknown id')}.")
        return self._entries[name]

    def array(self, name: str) -> np.ndarray:
        """Return the stored integers, mapped from disk; physical value = stored * scale + offset of the channel.

        Raises:
            AbsentError: the array was deleted after the cache was opened.
            UserError: the file does not hold what the index says.
        """
        return self._open(self.entry(name))

    def channel(self, name: str, number: int = 0) -> Channel:
        """Return one channel of an image, mapped from disk, with what turns its integers into physical values."""
        entry, stored = self.entry(name), self.array(name)
        return Channel(stored if entry.channels == 1 else stored[number], entry.scales[number], entry.offsets[number])

    def windows(self, name: str, intensity_range: IntensityRange) -> list[Window]:
        """Return the physical values of each channel of an image that become 0 and 1.

        Args:
            name: id of the image.
            intensity_range: the two values themselves, or ``percentile`` or ``zscore`` for those of each channel.

        Raises:
            UserError: ``intensity_range`` is neither.
        """
        wanted, entry = checked_range(intensity_range), self.entry(name)
        if not isinstance(wanted, str):
            return [wanted] * entry.channels
        return [(low, high) for low, high in entry.windows[wanted]]

    def scaled(self, name: str, values: Tensor, intensity_range: IntensityRange) -> Tensor:
        """Return physical values of an image with the window of each channel mapped to [0, 1], clipped.

        Args:
            name: id of the image.
            values: ``(C, *spatial)``, or ``(*spatial)`` of an image of one channel.
            intensity_range: see `windows`.
        """
        windows = self.windows(name, intensity_range)
        if len(windows) == 1:
            return scaled(values, windows[0])
        low, high = torch.tensor(windows).reshape(-1, 2, *[1] * (values.ndim - 1)).unbind(1)
        return scaled(values, (low, high))

    def read_box(self, name: str, box: Sequence[Sequence[int]], size: Sequence[int] | None = None) -> np.ndarray:
        """Read one box in physical units (HU for CT).

        Only the pages of the box are read. What lies outside the image has the background value. Another ``size`` is
        reached by linear interpolation that averages where it shrinks (`resize`); no voxel outside the box takes part.

        Args:
            name: id of the image.
            box: ``[[start, stop], ...]`` in voxels, half-open, one pair per axis; it may leave the image.
            size: voxels per axis of the result; the box's own if ``None``.

        Returns:
            float32 array of the size, channels first where there are several.

        Raises:
            UserError: the box does not fit the image's number of axes or is empty.
        """
        entry = self.entry(name)
        edges, inside, target = _parts(box, entry)
        values = np.empty((entry.channels, *edges), dtype=np.float32)
        if inside is None or any(part != slice(0, edge) for part, edge in zip(target, edges, strict=True)):
            values[:] = np.reshape(entry.minima, (-1, *[1] * len(edges)))
        if inside is not None:
            stored = self.array(name).reshape(entry.channels, *entry.shape)[(slice(None), *inside)]
            values[(slice(None), *target)] = physical(stored, entry)
        if size is not None and tuple(size) != edges:
            return _resized(values, size)
        return values[0] if entry.channels == 1 else values

    def has_label(self, name: str) -> bool:
        """Return whether there is a label map of an image."""
        return name in self._labels

    def label_entry(self, name: str) -> LabelEntry:
        """Return the description of a label map; ``KeyError`` for an image without one."""
        if name not in self._labels:
            raise KeyError(f"The image {name!r} has no label map in {self.cache_dir}.")
        return self._labels[name]

    def label(self, name: str) -> np.ndarray:
        """Return the label map of an image on its grid: stored integers ``(*spatial)``, mapped from disk.

        Raises:
            AbsentError: see `array`.
            UserError: see `array`.
        """
        return self._open(self.label_entry(name))

    def read_label_box(self, name: str, box: Sequence[Sequence[int]], size: Sequence[int] | None = None) -> np.ndarray:
        """Read one box of a label map; outside the image it is 0, another ``size`` takes the nearest voxel.

        Args:
            name: id of the image.
            box: see `read_box`.
            size: see `read_box`.

        Returns:
            int32 array of the size.
        """
        edges, inside, target = _parts(box, self.entry(name))
        labels = np.zeros(edges, dtype=np.int32)
        if inside is not None:
            labels[target] = self.label(name)[inside]
        return resample(labels, grid_of_size(edges, edges if size is None else size), nearest=True)

    def overview(self, name: str, size: Sequence[int]) -> np.ndarray:
        """Return the whole image resized to ``size`` voxels, in physical units.

        It is computed once and kept beside the arrays, rounded to the stored type.

        Returns:
            float32 array of the size, channels first where there are several.
        """
        entry = self.entry(name)
        path = self.cache_dir / "overviews" / "x".join(str(int(length)) for length in size) / f"{entry.key}.npy"
        stored = loaded(path, (entry.channels, *size), entry.dtype)
        if stored is None:
            channels = self.array(name).reshape(entry.channels, *entry.shape)
            stored = np.rint(_resized(channels, size)).astype(entry.dtype).reshape(entry.channels, *size)
            write_atomic(path, lambda file: np.save(file, stored))
        values = physical(stored, entry)
        return values[0] if entry.channels == 1 else values

    def _open(self, entry: CacheEntry | LabelEntry) -> np.ndarray:
        path = array_path(self.cache_dir, entry.key)
        try:
            return open_array(self.cache_dir, entry)
        except FileNotFoundError as error:
            raise AbsentError(f"{path} was deleted while it was in use; run again to make it anew.") from error
        except ValueError as error:
            raise UserError(f"{path} {error}; run again to make it anew.") from error


def _resized(channels: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resize the channels ``(C, *spatial)`` of an image; without their axis where there is one."""
    return resize(channels[0], size) if len(channels) == 1 else np.stack([resize(each, size) for each in channels])


Slices = tuple[slice, ...]


def _parts(box: Sequence[Sequence[int]], entry: CacheEntry) -> tuple[tuple[int, ...], Slices | None, Slices]:
    """Return the edges of a box, what of the image lies in it (``None`` if nothing), and where in the box that is."""
    if len(box) != len(entry.shape) or any(stop <= start for start, stop in box):
        raise UserError(
            f"The box {box} does not fit {entry.id} of shape {entry.shape}; "
            "give [start, stop] with start < stop for each axis."
        )
    edges = tuple(stop - start for start, stop in box)
    inside = [(max(start, 0), min(stop, length)) for (start, stop), length in zip(box, entry.shape, strict=True)]
    if any(start >= stop for start, stop in inside):
        return edges, None, ()
    target = [slice(start - outer[0], stop - outer[0]) for (start, stop), outer in zip(inside, box, strict=True)]
    return edges, tuple(slice(*ends) for ends in inside), tuple(target)
