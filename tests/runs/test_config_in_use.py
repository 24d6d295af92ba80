from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from monai.bundle import ConfigParser

from monai_sg.runs.config_in_use import config_in_use, settings_in_use

CONFIG: dict[str, Any] = {
    "seed": 0,
    "device": "cpu",
    "output_dir": "out",
    "crop_size": [8, 8],
    "loss": {"_target_": "torch.nn.L1Loss", "reduction": "mean"},
    "train": {
        "dataloader": {"batch_size": 2},
        "trainer": {"max_epochs": 3, "amp": "$@seed > 0"},
        "handlers": [{"_target_": "StatsHandler", "iteration_log": True}, {"_target_": "a.Stop", "patience": "@seed"}],
    },
    "settings": {"_target_": "monai_sg.runs.config_in_use.settings_in_use", "facts": {"weights": "abc"}},
}


def settings(**overrides: Any) -> dict[str, Any]:
    parser = ConfigParser(deepcopy(CONFIG))
    parser.update(overrides)
    found: dict[str, Any] = parser.get_parsed_content("settings")
    return found


def test_settings_are_the_ids_that_change_the_result() -> None:
    assert settings() == {
        "seed": 0,
        "crop_size": [8, 8],
        "loss::_target_": "torch.nn.L1Loss",
        "loss::reduction": "mean",
        "train::trainer::amp": "$@seed > 0",
        "train::handlers::0::_target_": "a.Stop",
        "train::handlers::0::patience": "@seed",
        "weights": "abc",
    }


def test_overrides_are_part_of_them_unless_they_change_speed_and_places_only() -> None:
    speed = {"device": "cuda", "output_dir": "elsewhere", "train::trainer::max_epochs": 9, "train::dataloader": {}}
    assert settings(**speed) == settings()
    assert settings(**{"loss::reduction": "sum"})["loss::reduction"] == "sum"
    assert "crop_size" not in settings(**{"settings::without": ["crop_size"]})


def test_parts_are_what_the_config_says_with_plain_values_filled_in() -> None:
    parser = ConfigParser(deepcopy(CONFIG))
    own = {
        "loss::weight": "@seed",
        "network": {"_target_": "a.Net", "size": "@crop_size"},
        "method": ["@network", "@x"],
    }
    parser.update(
        {**own, "parts": {"_target_": "monai_sg.runs.config_in_use.parts_in_use", "names": ["loss", "method"]}}
    )
    parser["parts::names"] += ["train::trainer", "network", "no such id"]
    assert parser.get_parsed_content("parts") == {
        "loss": {"_target_": "torch.nn.L1Loss", "reduction": "mean", "weight": 0},
        "method": ["@network", "@x"],
        "train::trainer": {"max_epochs": 3, "amp": "$@seed > 0"},
        "network": {"_target_": "a.Net", "size": [8, 8]},
    }


def test_outside_of_a_config_there_are_none() -> None:
    with pytest.raises(LookupError, match="No config is being resolved"):
        config_in_use()
    with pytest.raises(LookupError):
        settings_in_use()
