from __future__ import annotations

import logging
from pathlib import Path

import pytest

from monai_sg.engines.inference_check import check_inference
from monai_sg.utils.files import write_json

TRAINED = {"spacing": [1.0, 1.0, 2.0], "intensity_range": [-1000, 1000], "image_size": []}


def test_settings_that_differ_from_the_training_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_json(tmp_path / "model.json", {"preprocessing": TRAINED})
    with caplog.at_level(logging.WARNING):
        check_inference(tmp_path / "model.pt", {**TRAINED, "spacing": [], "roi_size": [8, 8, 8]})
    (sentence,) = caplog.messages
    assert "another form: spacing was [1.0, 1.0, 2.0], is []. Results" in sentence
    assert "give the settings that model.json names" in sentence


def test_the_same_settings_and_weights_without_description_pass(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check_inference(tmp_path / "model.pt", TRAINED)
    write_json(tmp_path / "model.json", {"preprocessing": TRAINED})
    check_inference(tmp_path / "model.pt", TRAINED)
    write_json(tmp_path / "model.json", {"method": "unknown"})
    check_inference(tmp_path / "model.pt", TRAINED)
    assert not caplog.messages
