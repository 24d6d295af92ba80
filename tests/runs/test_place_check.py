from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from monai_sg.runs.place_check import check_places
from monai_sg.utils.errors import UserError
from monai_sg.utils.files import write_json


def refusal(tmp_path: Path, **given: str) -> str:
    with pytest.raises(UserError) as error:
        check_places(**{"device": "cpu", "dataset_dir": str(tmp_path), "output_dir": str(tmp_path / "out"), **given})
    return str(error.value)


def test_devices_that_are_not_there_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "device = 'gpu' is unknown; write cuda" in refusal(tmp_path, device="gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert refusal(tmp_path, device="cuda:0").endswith("finds no GPU here; write cpu.")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert "there are 2 GPUs, the last of them cuda:1" in refusal(tmp_path, device="cuda:2")
    check_places("cuda:1", str(tmp_path), str(tmp_path))


def test_a_path_with_a_tilde_says_what_it_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/people/me")
    for name in ("dataset_dir", "output_dir", "cache_dir"):
        assert f"{name} = '~/x' was not expanded; write '/people/me/x'" in refusal(tmp_path, **{name: "~/x"})


def test_an_output_that_cannot_be_written_is_refused_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    said = refusal(tmp_path, output_dir=str(tmp_path / "file" / "out"))
    assert f"because {tmp_path / 'file'} says 'Not a directory'" in said

    def mkdir(path: str, mode: int) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "mkdir", mkdir)
    assert f"because {tmp_path} says 'Permission denied'" in refusal(tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_second_cache_of_a_run_is_not_filled_by_an_oversight(tmp_path: Path) -> None:
    kept, output = tmp_path / "kept", tmp_path / "out"
    kept.mkdir()
    write_json(output / "train" / "arguments.json", {"cache_dir": str(kept)})
    assert f"are cached in {kept}" in refusal(tmp_path, cache_dir=str(output / "cache"))
    check_places("cpu", "data", str(output), str(kept))
    (output / "cache").mkdir()
    check_places("cpu", "data", str(output), str(output / "cache"))
