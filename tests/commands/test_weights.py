from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from monai_sg.__main__ import main
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.utils.files import read_json
from tests.weights.test_load import foreign_name


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["monai-sg", *map(str, words)])
    main()


def test_a_released_file_is_imported_and_then_explains_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = GenesisUNet(3, width=4)
    torch.save({foreign_name(name): value for name, value in network.state_dict().items()}, tmp_path / "released.pt")
    described = json.dumps(network.describe())
    settings = json.dumps({"intensity_range": [-1000, 1000]})
    ours = tmp_path / "ours"
    words = ("--output", ours, "--network_def", described, "--preprocessing", settings)
    run(monkeypatch, "weights", "import", tmp_path / "released.pt", *words)
    assert "with the names of Models Genesis" in capsys.readouterr().out
    facts = read_json(ours / "model.json")
    assert facts["network"] == network.describe()
    assert facts["preprocessing"] == {"intensity_range": [-1000, 1000]}
    run(monkeypatch, "weights", "inspect", ours / "model.pt")
    assert "model.pt: 56 of 56 tensors of encoder fit" in capsys.readouterr().out


def test_a_file_that_does_not_fit_ends_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(GenesisUNet(3, width=4).state_dict(), tmp_path / "a.pt")
    words = ("--output", tmp_path / "b", "--network_def", json.dumps(GenesisUNet(3, width=8).describe()))
    with pytest.raises(SystemExit, match=r"The file has width 4 .*, the network 8: give width 4\.$"):
        run(monkeypatch, "weights", "import", tmp_path / "a.pt", *words)
