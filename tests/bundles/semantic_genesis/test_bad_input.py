"""One bad scan never ends a run."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_sg.data.boxes.patterns import pattern_boxes
from monai_sg.data.records import Datalist, PatternTable
from monai_sg.runs.chain import Chain
from monai_sg.utils.files import read_json
from tests.bundles.families.semantic_genesis import BUNDLE, overrides


def write(path: Path, array: np.ndarray) -> None:
    nib.save(nib.Nifti1Image(array, np.diag([6.0, 6.0, 6.0, 1.0])), path)


@pytest.fixture(scope="module")
def mixed_folder(phantom_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom cohort, through a link, beside scans that are small or cannot be used."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "good").symlink_to(phantom_cohort)
    noise = np.random.default_rng(0).integers(-1000, 400, (40, 40, 40)).astype(np.int16)
    write(folder / "four_axes.nii.gz", np.stack([noise, noise], -1))
    write(folder / "small.nii.gz", noise[:30, :30, :8])
    write(folder / "mostly_nan.nii.gz", np.where(noise < 200, np.nan, noise).astype(np.float32))
    write(folder / "some_nan.nii.gz", np.where(noise < -900, np.nan, noise).astype(np.float32))
    whole = (folder / "some_nan.nii.gz").read_bytes()
    (folder / "truncated.nii.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "text.nii").write_text("not an image")
    return folder


def test_the_run_goes_on_with_what_can_be_used(mixed_folder: Path, tmp_path: Path) -> None:
    values = overrides(mixed_folder, tmp_path, frame="body", crop_size=[16, 16, 16])
    Chain(BUNDLE, values).run()
    datalist = Datalist.load(tmp_path / "datalist.json")
    skipped = {item["path"]: item["reason"] for item in datalist.skipped}
    assert "four_axes.nii.gz" in skipped
    assert "text.nii" in skipped
    index = read_json(tmp_path / "cache" / "index.json")
    cached = {entry["id"] for entry in index["entries"].values()}
    assert {"small", "some_nan", "mostly_nan"} <= cached, "what is left of a scan without some values is enough"
    assert "truncated" not in cached
    table = PatternTable.load(tmp_path / "patterns.json")
    boxes = [*table.training, *table.validation, *table.test]
    assert all(row["padded"] for row in boxes if row["id"] == "small")
    assert (tmp_path / "models" / "model.pt").is_file()


def test_no_room_for_patterns_is_said(phantom_cohort: Path, finished_run: Path, tmp_path: Path) -> None:
    values = overrides(phantom_cohort, tmp_path, crop_size=[64, 56, 48], cache_dir=str(finished_run / "cache"))
    Chain(BUNDLE, values, ["autoencoder"]).run()
    with pytest.raises(RuntimeError) as error:
        Chain(BUNDLE, values, ["discover"]).run()
    cause: BaseException = error.value
    while cause.__cause__ is not None:
        cause = cause.__cause__
    assert isinstance(cause, ValueError)
    assert "crop" in str(cause)
    assert "mm" in str(cause)


def test_one_scan_alone_runs_through(phantom_cohort: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    for path in next(phantom_cohort.glob("subset*/*.mhd")).parent.glob("*"):
        (folder / path.name).symlink_to(path)
    Chain(BUNDLE, overrides(folder, tmp_path / "run")).run()
    table = PatternTable.load(tmp_path / "run" / "patterns.json")
    assert table.validation == []
    assert pattern_boxes(table, "validation") == [row for row in table.training if row["scale"] == 1]
    assert len({row["id"] for row in table.training}) == 1
    assert (tmp_path / "run" / "models" / "model.pt").is_file()
