from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_sg.runs.fine_tuning import FineTuning
from monai_sg.runs.reason import reason_of
from monai_sg.utils.files import read_json, write_json
from tests.bundles.families.segmentation import BUNDLE, write_cubes, write_nifti


def test_no_training_image_takes_the_place_of_a_test_image(tmp_path: Path) -> None:
    folder = write_cubes(tmp_path / "cubes", number=4)
    names = sorted(path.name for path in (folder / "images").iterdir())
    records = [{"image": f"images/{name}", "label": f"labels/{name}", "id": name, "patient": name} for name in names]
    lists = {"training": records[:2], "validation": records[2:3], "test": records[3:], "skipped": [], "classes": []}
    write_json(tmp_path / "datalist.json", {**lists, "source": "labelled folder", "folder": str(folder)})
    label = folder / records[3]["label"]
    write_nifti(label, np.full(nibabel.load(label).shape, 7, np.uint8))  # a value that is not known
    values = {"dataset_dir": str(folder), "datalist": str(tmp_path / "datalist.json"), "image_size": []}
    run = FineTuning(BUNDLE, tmp_path / "run", values)
    with pytest.raises(RuntimeError) as caught:
        run.test_images()
    assert str(reason_of(caught.value)).startswith("None of the 1 records can be used: case_3.nii.gz has the label map")
    assert len(read_json(tmp_path / "datalist.json")["test"]) == 1
