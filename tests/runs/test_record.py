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


def test_other_data_start_a_finished_record_anew_where_that_is_allowed(tmp_path: Path) -> None:
    def renewable(seed: int = 0, **more: Any) -> RunRecord:
        return RunRecord(tmp_path / "run.json", "train", {"seed": seed}, renewable=True, **more)

    renewable().write(finished=False)
    with pytest.raises(ValueError, match=r"other settings: data was .* or delete the folder\."):
        renewable(data=[1]).check()
    renewable().write(finished=True)
    renewable(data=[1]).check()
    assert renewable(data=[1]).starts_anew
    assert not renewable().starts_anew
    with pytest.raises(ValueError, match=r"data was .*; seed was 0, is 1\. .* or restart\."):
        renewable(1, data=[1]).check()


def test_restart_starts_what_has_finished_anew_and_continues_what_has_not(tmp_path: Path) -> None:
    def again(**settings: Any) -> RunRecord:
        return RunRecord(tmp_path / "run.json", "train", {"seed": 0, **settings}, restart=True)

    assert not again().starts_anew
    again().write(finished=False)
    assert not again().starts_anew
    with pytest.raises(ValueError, match="seed was 0, is 1"):
        again(seed=1).check()
    again().write(finished=True, epochs=3, max_epochs=5)
    assert again().starts_anew
    assert again(seed=1).starts_anew
    again(seed=1).check()


def test_what_has_finished_goes_on_to_more_epochs_only(tmp_path: Path) -> None:
    record(tmp_path).check_repetition(5)
    record(tmp_path).write(finished=False)
    record(tmp_path).check_repetition(5)
    record(tmp_path).write(finished=True, epochs=3, max_epochs=5)
    for epochs in (4, 5):
        with pytest.raises(ValueError, match=r"finished in .* after 3 epochs\. Give .* more than 5 epochs"):
            record(tmp_path).check_repetition(epochs)
    record(tmp_path).check_repetition(6)


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
