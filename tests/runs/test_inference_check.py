from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from monai_sg.runs.inference_check import check_inference
from monai_sg.utils.files import sha256_of, write_json

TRAINED = {"spacing": [1.0, 1.0, 2.0], "intensity_range": [-1000, 1000], "image_size": []}


def describe(folder: Path, **facts: Any) -> None:
    """Write weights with their description."""
    (folder / "model.pt").write_bytes(b"weights")
    write_json(folder / "model.json", {"version": 1, "sha256": sha256_of(folder / "model.pt"), **facts})


def test_settings_that_differ_from_the_training_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    describe(tmp_path, preprocessing=TRAINED, structures={"liver": [2]})
    with caplog.at_level(logging.WARNING):
        check_inference(
            tmp_path / "model.pt", {**TRAINED, "spacing": [], "structures": {"liver": [1, 2]}, "roi_size": [8, 8, 8]}
        )
    (sentence,) = caplog.messages
    assert "other settings: spacing was [1.0, 1.0, 2.0], is []; structures was {'liver': [2]}, is " in sentence
    assert "give the settings that model.json names" in sentence


def test_the_same_settings_and_weights_without_description_pass(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check_inference(tmp_path / "model.pt", TRAINED)
    describe(tmp_path, preprocessing=TRAINED)
    check_inference(tmp_path / "model.pt", TRAINED)
    describe(tmp_path, method="unknown")
    check_inference(tmp_path / "model.pt", TRAINED)
    assert not caplog.messages
