from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_sg.commands.scan import scan
from monai_sg.data.records import Datalist
from tests.data.conftest import ct_like, write_nifti


def test_a_table_a_list_and_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for seed in range(5):
        write_nifti(tmp_path / f"data/p{seed}.nii.gz", ct_like(seed=seed))
    write_nifti(tmp_path / "data/p5.nii.gz", np.full((12, 10, 9), 7, np.int16))
    (tmp_path / "data/notes.txt").write_text("x")
    text = scan(data="~/data", output="~/out/list.json")
    assert "6 images of 6 patients: 4 training, 1 validation, 1 test" in text
    assert ".nii.gz  6       12 x 10 x 9    2 x 3 x 4" in text
    assert "skipped notes.txt: is a file of kind .txt, which is not read" in text
    assert "odd p5.nii.gz: will be left out: it has the same value 7 in every voxel" in text
    assert len(Datalist.load(tmp_path / "out/list.json").records) == 6
    page = (tmp_path / "out/scan.html").read_text()
    assert page.count("data:image/png") == 4 * 5
    assert "p5" in page


def test_headers_alone_and_a_bounded_number_of_pictures(tmp_path: Path) -> None:
    for seed in range(7):
        write_nifti(tmp_path / f"data/p{seed}.nii.gz", ct_like(seed=seed))
    text = scan(data=str(tmp_path / "data"), page=str(tmp_path / "a.html"), thumbnails=0)
    assert "not read" in text
    scan(data=str(tmp_path / "data"), page=str(tmp_path / "b.html"), thumbnails=3)
    assert "7 more images are not shown" in (tmp_path / "a.html").read_text()
    assert "4 more images are not shown" in (tmp_path / "b.html").read_text()
