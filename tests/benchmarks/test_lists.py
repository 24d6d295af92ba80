from __future__ import annotations

from pathlib import Path

import pytest

from monai_sg.data.datasets.leakage import check_leakage
from monai_sg.data.records import Datalist
from monai_sg.utils.errors import UserError
from tests.benchmarks.lists import write_lists
from tests.bundles.families.segmentation import write_cubes


def test_list_of_pretraining_lacks_test_images_and_labels(tmp_path: Path) -> None:
    data = write_cubes(tmp_path / "data")
    target, unlabelled = (Datalist.load(path) for path in write_lists(data, tmp_path))
    assert target.test
    assert [record["id"] for record in unlabelled.records] == [r["id"] for r in (*target.training, *target.validation)]
    assert not any("label" in record for record in unlabelled.records)
    check_leakage(unlabelled, data, [tmp_path / "target.json"])
    with pytest.raises(UserError, match="are test images of"):
        check_leakage(target, data, [tmp_path / "target.json"])
