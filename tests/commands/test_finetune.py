from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_sg.commands.evaluate import evaluate
from monai_sg.commands.finetune import finetune
from monai_sg.commands.predict import predict
from monai_sg.commands.written import Written
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.utils.errors import UserError
from monai_sg.utils.files import read_json
from monai_sg.weights.export import save_network

SMALL = {"roi_size": [16, 16, 16], "image_size": [], "batch_size": 4, "num_workers": 0, "epochs": 1, "amp": False}


@pytest.fixture(scope="module")
def run(liver_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training from weights of width 4, with a cache elsewhere."""
    folder = tmp_path_factory.mktemp("finetune")
    description = {"preprocessing": {"intensity_range": [-800, 600]}}
    weights = save_network(GenesisUNet(3, width=4), folder / "pre" / "model.pt", description)
    places = {"data": str(liver_cohort), "output": str(folder / "run"), "cache_dir": str(folder / "cache")}
    written = finetune(weights=str(weights), **places, **SMALL)
    assert isinstance(written, Written)
    assert written["weights"] == folder / "run" / "models" / "model.pt"
    assert str(written).splitlines()[0].split() == ["weights", str(written["weights"])]
    return folder / "run"


def test_a_training_takes_and_leaves_its_settings(run: Path, liver_cohort: Path) -> None:
    arguments = read_json(run / "train" / "arguments.json")
    assert (arguments["width"], arguments["intensity_range"]) == (4, [-800, 600])
    assert (arguments["dataset_dir"], arguments["output_dir"]) == (str(liver_cohort), str(run))


def test_evaluation_and_prediction_need_no_setting_again(run: Path, liver_cohort: Path, tmp_path: Path) -> None:
    measured = evaluate(run=str(run))
    assert isinstance(measured, Written)
    assert measured["cases"].is_file()
    assert measured.table[0] == "2 test cases"
    assert any(line.startswith("dice@0.5") for line in measured.table)
    assert not (run / "cache").exists(), "the cache of the training was used"
    predict(run=str(run), data=str(liver_cohort), output=str(tmp_path / "out"))
    assert len([*(tmp_path / "out").rglob("*_liver.nii.gz")]) == 8


def test_a_config_is_printed_instead_of_run(run: Path, liver_cohort: Path, tmp_path: Path) -> None:
    given = {"data": str(liver_cohort), "output": str(tmp_path / "out"), "print_config": True}
    config = json.loads(str(finetune(preset="paper", width=8, **given)))
    assert (config["width"], config["preset"], config["output_dir"]) == (8, "paper", str(tmp_path / "out"))
    assert config["cache_dir"] == str(tmp_path / "out" / "cache")
    assert config["network_def"]["width"] == "@width"
    used = json.loads(str(predict(run=str(run), overlap=0.25, **given)))
    assert (used["overlap"], used["network_def"]["width"]) == (0.25, 4), "the network is that of the weights"
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no weights"):
        finetune(data=str(tmp_path), output=str(tmp_path), weights=str(tmp_path / "absent.pt"))
    with pytest.raises(UserError, match="preset 'papper' is unknown; take one of default, paper"):
        finetune(data=str(tmp_path), output=str(tmp_path), preset="papper")
    with pytest.raises(UserError, match=r"arguments\.json is absent"):
        predict(run=str(tmp_path), data=str(tmp_path))
