from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_sg.reports.scan_page import HEIGHT, Shown, thumbnails, write_page


def test_a_volume_is_shown_as_radiologists_look_at_it() -> None:
    volume = np.zeros((20, 20, 9))
    volume[:10, 10:, 0] = 1  # left front at the feet
    volume[:, :, 8] = 1
    feet, middle, head, coronal = thumbnails(volume, (2.0, 2.0, 4.0), (0, 1))
    assert feet.shape == (HEIGHT, HEIGHT)
    assert (feet[5, -5], feet[5, 5], feet[-5, -5]) == (255, 0, 0)
    assert middle.max() == 0
    assert head.min() == 255
    assert coronal.shape == (HEIGHT, round(HEIGHT * 40 / 36))
    assert (coronal[2, 5], coronal[HEIGHT // 2, 5]) == (255, 0), "head up"


def test_the_right_side_is_on_the_left() -> None:
    volume = np.zeros((20, 20, 8))
    volume[15:] = 1  # RAS counts x towards the right
    axial = thumbnails(volume, (1.0, 1.0, 1.0), (0, 1))[1]
    right_of_patient = axial[:, : HEIGHT // 4].mean()
    assert right_of_patient == 255


def test_a_picture_is_shown_whole() -> None:
    film = np.zeros((30, 20), np.uint8)
    film[:, :10] = 9
    (picture,) = thumbnails(film, (1.0, 1.0), (0, 9))
    assert picture.shape == (HEIGHT, HEIGHT * 30 // 20)
    assert (picture[0, 0], picture[-1, 0]) == (255, 0)


@pytest.mark.parametrize("notes", [(), ("has values <from> 0 & 1",)])
def test_the_page_holds_all_in_one_file(tmp_path: Path, notes: tuple[str, ...]) -> None:
    picture = np.arange(110 * 4, dtype=np.uint8).reshape(110, 4)
    images = [Shown("plain", "x"), Shown("a<b", "2 x 2", [picture], notes)]
    text = write_page(tmp_path / "scan.html", "d", ["s"], [{"format": ".nii"}], ["p: r"], images, 7).read_text()
    (data,) = re.findall("base64,([^']+)'", text)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), picture)
    assert "a&lt;b" in text
    assert "7 more images" in text
    assert ("has values &lt;from&gt; 0 &amp; 1" in text) == bool(notes)
    assert (text.index("a&lt;b") < text.index("plain")) == bool(notes), "what looks odd comes first"
    assert "http" not in text.replace("<!doctype html>", "")
