"""Labelled folders of public images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from monai_sg.data.datasets.labelled_folder import LabelledFolder
from monai_sg.data.datasets.lits import LiTS
from monai_sg.data.datasets.opening import open_datalist
from monai_sg.data.images import labelled_records
from monai_sg.data.labels import PrepareLabeld
from monai_sg.data.records import SPLITS

KEYS = ["image", "label"]


@pytest.mark.parametrize(
    ("folder", "numbers", "foreground", "known_labels"),
    [
        ("ct_sts_tumour", [27, 6, 6], [1], [0, 1]),
        ("hippocampus", [128, 27, 27], [1, 2], [0, 1, 2]),
        ("ct_nsclc_nc", [1, 0, 0], [1, 2], list(range(9))),
    ],
)
def test_every_pair_is_found_and_fits(
    real_data: Path, folder: str, numbers: list[int], foreground: list[int], known_labels: list[int]
) -> None:
    datalist = LabelledFolder(progress=False).read(real_data / folder)
    assert [len(getattr(datalist, split)) for split in SPLITS] == numbers
    assert datalist.skipped == []
    read = Compose(
        [LoadImaged(KEYS), EnsureChannelFirstd(KEYS), PrepareLabeld("label", {"object": foreground}, known_labels)]
    )
    for split in (name for name in SPLITS if getattr(datalist, name)):
        for record in labelled_records(datalist, real_data / folder, split)[:6]:
            data = read(record)
            assert data["label"].shape == data["image"].shape
            assert torch.unique(data["label"].as_tensor()).tolist() == [0, 1]


def test_labels_under_other_names_are_asked_for(real_data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no layout that is known here\. .* Found: .*images/, labels_auto/"):
        open_datalist(tmp_path / "list.json", real_data / "ct_chest_abdomen", [LiTS(), LabelledFolder()])


def test_automatic_liver_of_one_abdomen(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "ct_chest_abdomen"
    (tmp_path / "labels").mkdir()
    (tmp_path / "images").symlink_to(source / "images")
    (tmp_path / "labels/TS-example.nii.gz").symlink_to(source / "labels_auto/TS-example_liver.nii.gz")
    datalist = LabelledFolder(progress=False).read(tmp_path)
    assert [record["id"] for record in datalist.training] == ["TS-example"]
    assert {item["path"] for item in datalist.skipped} == {
        f"images/{name}.nii.gz" for name in ("CRLM-CT-1004", "LIDC-IDRI-0314", "Lung_Dx-A0001", "TS-aorta-crop")
    }
