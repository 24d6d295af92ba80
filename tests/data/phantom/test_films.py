from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_sg.data.datasets.chest_xray14 import FINDINGS as OFFICIAL
from monai_sg.data.datasets.chest_xray14 import ChestXray14
from monai_sg.data.phantom import films
from monai_sg.data.phantom.body import Phantom, make_phantom
from monai_sg.data.phantom.films import FINDINGS, make_film, write_film_cohort

SHAPE = (48, 36, 37)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(0, 1, SHAPE)


def test_cohort_is_read_as_chest_xray14(tmp_path: Path) -> None:
    write_film_cohort(tmp_path / "a", patients=4, size=32, shape=SHAPE)
    write_film_cohort(tmp_path / "b", patients=5, size=32, shape=SHAPE)
    datalist = ChestXray14().read(tmp_path / "a")
    assert [record["patient"] for record in datalist.test] == ["00000004", "00000004"]
    assert len(datalist.records) == 8
    assert all(item["path"].endswith(".csv") for item in datalist.skipped)
    name = "images_001/images/00000002_001.png"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), "whatever the cohort's size"
    assert Image.open(tmp_path / "a" / name).size == (32, 32)


def test_a_film_shows_its_side_and_its_findings(phantom: Phantom, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(FINDINGS) <= set(OFFICIAL)
    pictures = {}
    for name in (None, *FINDINGS):
        shown = {name: FINDINGS[name]} if name else {}
        with monkeypatch.context() as patch:
            patch.setattr(films, "FINDINGS", shown)
            patch.setattr(films, "SHARE", 1.1)
            picture, there = make_film(phantom, np.random.default_rng(0), 48)
        assert there == list(shown)
        pictures[name] = picture.astype(float)
    clear = pictures[None]
    heart = pictures["Cardiomegaly"] - clear
    assert heart[:, :24].sum() < heart[:, 24:].sum(), "the heart is on the patient's left, right in the picture"
    assert clear[:16].mean() < clear[-16:].mean(), "the belly is below"
    for name in FINDINGS:
        largest = (pictures[name] - clear).min() if name == "Pneumothorax" else (pictures[name] - clear).max()
        assert abs(largest) > 10, name


def test_the_phantom_stays_as_it_is(phantom: Phantom) -> None:
    before = phantom.hu.copy()
    make_film(phantom, np.random.default_rng(1), 32)
    np.testing.assert_array_equal(phantom.hu, before)
