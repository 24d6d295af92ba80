from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.fuzz.changes import spoilt
from tests.fuzz.outcome import Folder, read

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F", "I;16")
COMPRESSIONS = (None, "tiff_lzw", "tiff_deflate", "packbits")


@st.composite
def pictures(draw: st.DrawFn, form: str) -> bytes:
    """Return a picture of any mode, depth and orientation that a format stores."""
    size = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    values = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 255, size[::-1]).astype(np.uint8)
    mode = draw(st.sampled_from(MODES))
    picture = Image.fromarray(values.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(values)
    if mode == "YCbCr":
        picture = picture.convert("RGB")
    picture = picture if mode == "I;16" else picture.convert(mode)
    more: dict[str, object] = {}
    if draw(st.booleans()):
        exif = Image.Exif()
        exif[274] = draw(st.integers(0, 9))
        more["exif"] = exif
    if form == "TIFF":
        more["compression"] = draw(st.sampled_from(COMPRESSIONS))
        if draw(st.integers(0, 2)) == 0:
            more |= {"save_all": True, "append_images": [picture] * draw(st.integers(1, 9))}
    kept = io.BytesIO()
    try:
        picture.save(kept, form, **more)
    except (OSError, KeyError, ValueError, RuntimeError):  # not a mode of this format
        picture.convert("L").save(kept, form)
    return kept.getvalue()


@pytest.mark.parametrize(("form", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("TIFF", ".tif")])
@given(data=st.data())
def test_whole_pictures(folder: Folder, form: str, suffix: str, data: st.DataObject) -> None:
    path = folder() / f"a{suffix}"
    path.write_bytes(data.draw(pictures(form)))
    found = read(path)
    with Image.open(io.BytesIO(path.read_bytes())) as picture:  # by name Pillow 13 maps it with its sides exchanged
        pages = getattr(picture, "n_frames", 1)
        sides, turn = picture.size, 1
        if form == "TIFF":  # as they are stored: Pillow's own turning differs with the way a file is opened
            tags = picture.tag_v2  # type: ignore[attr-defined]
            sides, turn = (tags[256], tags[257]), tags.get(274, 1)
        shown = ImageOps.exif_transpose(picture)
        if found and pages == 1 and picture.mode == "L":
            np.testing.assert_array_equal(found[0].values.T, np.asarray(shown))
        if found and pages == 1:
            assert found[0].values.shape == shown.size
        if found and pages > 1:
            whole = (*(sides[::-1] if turn in (5, 6, 7, 8) else sides), pages)
            assert found[0].values.shape in (whole, tuple(length for length in whole if length > 1))


@pytest.mark.parametrize(("form", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("TIFF", ".tif")])
@given(data=st.data())
def test_bytes_of_pictures(folder: Folder, form: str, suffix: str, data: st.DataObject) -> None:
    path = folder() / f"a{suffix}"
    path.write_bytes(data.draw(spoilt(data.draw(pictures(form)), 60)))
    read(path)
