from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monai_sg.runs.record import RunRecord, fingerprint
from monai_sg.utils.files import read_json


def record(folder: Path, stage: str = "train", data: Any = (1, 2), **settings: Any) -> RunRecord:
    return RunRecord(folder / "run.json", stage, {"seed": 0, "crop_size": (16, 16), **settings}, data)


def test_record_accepts_the_same_run_and_names_the_difference_of_another(tmp_path: Path) -> None:
    record(tmp_path).check()
    record(tmp_path).write(finished=False)
    record(tmp_path).check()
    record(tmp_path, crop_size=[16, 16]).check()
    with pytest.raises(ValueError, match=r"seed was 0, is 1\. Take another output_dir"):
        record(tmp_path, seed=1).check()
    with pytest.raises(ValueError, match="other settings: data was") as error:
        record(tmp_path, data=(1, 3)).check()
    assert "seed" not in str(error.value)
    with pytest.raises(ValueError, match="amp was None, is True"):
        record(tmp_path, amp=True).check()


def test_a_finished_record_may_be_renewed_where_that_is_allowed(tmp_path: Path) -> None:
    def renewable(**more: Any) -> RunRecord:
        return RunRecord(tmp_path / "run.json", "train", {"seed": 0}, renewable=True, **more)

    renewable().write(finished=False)
    with pytest.raises(ValueError, match="other settings: data was"):
        renewable(data=[1]).check()
    renewable().write(finished=True)
    renewable(data=[1]).check()


def test_record_keeps_the_stages_apart(tmp_path: Path) -> None:
    record(tmp_path, "classify").write(finished=True, epochs=3)
    record(tmp_path, seed=7).write(finished=False)
    assert record(tmp_path, "classify").is_finished
    assert not record(tmp_path).is_finished
    assert not record(tmp_path, "discover").is_finished
    content = read_json(tmp_path / "run.json")
    assert content["classify"]["epochs"] == 3
    assert content["train"]["settings"]["seed"] == 7


def test_fingerprint_depends_on_the_content_alone() -> None:
    assert fingerprint([{"a": 1, "b": [2]}]) == fingerprint([{"b": (2,), "a": 1}])
    assert fingerprint([1, 2]) != fingerprint([2, 1])
