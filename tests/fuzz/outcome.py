"""What may become of an input: an image as its header says, or a sentence of ours, soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from monai_sg.data.readers.formats import UnusableImageError
from monai_sg.data.readers.opened import MAX_SPACING, MIN_SPACING
from monai_sg.data.readers.reading import StoredImage, header_of, open_source, read_image
from monai_sg.data.readers.volumes import Volume, read_volume
from monai_sg.utils.errors import UserError

Folder = Callable[[], Path]
MOST_SECONDS = 20.0  # of this process, so that others do not count


def read(source: Path, series: str | None = None) -> tuple[StoredImage, Volume] | None:
    """Read an image as files and as the cache do; ``None`` if it is refused with a sentence.

    Counting and reading agree, the array has the shape of the header, and the canonical one is the same voxels in RAS.
    """
    start = time.process_time()
    try:
        header = header_of(source, series)
        stored = read_image(source, series)
        volume = read_volume(source, series)
    except UnusableImageError as error:
        check_sentence(str(error))
        assert time.process_time() - start < MOST_SECONDS
        return None
    assert time.process_time() - start < MOST_SECONDS
    opened = open_source(source, series)
    assert header.shape == opened.shape == stored.values.shape
    np.testing.assert_allclose(header.spacing, np.linalg.norm(stored.affine[:3, : stored.num_axes], axis=0), rtol=1e-6)
    assert min(header.spacing) >= MIN_SPACING
    assert max(header.spacing) <= MAX_SPACING
    assert np.isfinite(stored.values).all()
    assert np.isfinite(stored.affine).all()
    _check_canonical(stored, volume)
    return stored, volume


def _check_canonical(stored: StoredImage, volume: Volume) -> None:
    """The cached array holds the same values at the same places."""
    assert sorted(volume.array.shape) == sorted(stored.values.shape)
    physical = volume.array * volume.scale + volume.offset
    step = max(volume.scale, 1e-6 * float(np.abs(stored.values).max()), 0.5)
    ends = float(stored.values.min()), float(stored.values.max())
    np.testing.assert_allclose((physical.min(), physical.max()), ends, atol=step)
    places = [tuple(length // 3 for length in volume.array.shape), tuple(length - 1 for length in volume.array.shape)]
    near = float(np.abs(volume.affine).max()) < 1e6  # farther away float64 does not tell one voxel from the next
    for place in places if stored.num_axes == 3 and near else []:
        world = volume.affine @ [*place, 1]
        own = np.rint((np.linalg.inv(stored.affine) @ world)[:3]).astype(int)
        np.testing.assert_allclose(physical[place], float(stored.values[tuple(own)]), atol=step)


def check_sentence(sentence: str) -> None:
    """It is one line, not too long, and no print of an object."""
    assert 0 < len(sentence) < 4000, sentence
    assert len(sentence.splitlines()) == 1, sentence
    assert "object at 0x" not in sentence, sentence


def told(action: Callable[[], object]) -> object | None:
    """Return what an action returns, or ``None`` if it ends in a sentence of ours."""
    start = time.process_time()
    try:
        return action()
    except UserError as error:
        check_sentence(str(error))
        return None
    finally:
        assert time.process_time() - start < MOST_SECONDS
