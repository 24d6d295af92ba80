from __future__ import annotations

from pathlib import Path

import pytest

from monai_sg.data.datasets.leakage import check_leakage
from monai_sg.data.records import Datalist


def records(*names: str) -> list[dict[str, str]]:
    return [{"image": f"{name}.nii", "id": name, "patient": name} for name in names]


@pytest.mark.parametrize("split", ["training", "validation", "test"])
def test_a_test_image_of_a_target_task_is_refused_in_each_split(tmp_path: Path, split: str) -> None:
    targets = [Datalist(test=records("x")).save(tmp_path / "a.json"), Datalist(records("y"), [], records("b", "c"))]
    targets[1] = targets[1].save(tmp_path / "b.json")
    mine = Datalist(**{split: records("a", "b", "y")})
    check_leakage(mine, targets[:1])
    with pytest.raises(ValueError, match=r"^1 images are .* test images of .*b\.json: b\. Take them out"):
        check_leakage(mine, targets)


def test_an_absent_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.json, a data list of target_datalists, does not exist"):
        check_leakage(Datalist(records("a")), [tmp_path / "none.json"])
