from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from monai_sg.handlers.best_weights import BestWeights
from monai_sg.methods.restoration import Restoration
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.transforms.identity import Identity
from monai_sg.utils.files import read_json


def after(handler: BestWeights, epoch: int, best: int) -> None:
    """Call the handler after the validation of an epoch, when the best one was that of epoch ``best``."""
    engine: Any = SimpleNamespace(state=SimpleNamespace(epoch=epoch, best_metric_epoch=best))
    handler(engine)


def loaded(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("dims", [2, 3])
def test_files_hold_the_weights_of_the_best_epoch(tmp_path: Path, dims: int) -> None:
    network = GenesisUNet(spatial_dims=dims, width=2)
    handler = BestWeights(network, tmp_path / "models/model.pt", {"method": "any"})
    best = {name: value.clone() for name, value in network.state_dict().items()}
    after(handler, 1, best=1)
    torch.nn.init.zeros_(network.get_parameter(f"{network.stem_key}.weight"))
    after(handler, 2, best=1)
    kept = loaded(tmp_path / "models/model.pt")
    assert kept.keys() == best.keys()
    assert all(torch.equal(value, best[name]) for name, value in kept.items())
    facts = read_json(tmp_path / "models/model.json")
    assert (facts["method"], facts["network"]["spatial_dims"]) == ("any", dims)
    after(handler, 3, best=3)
    assert not loaded(tmp_path / "models/model.pt")[f"{network.stem_key}.weight"].any()


def test_where_nothing_can_be_selected_the_last_weights_are_kept_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = GenesisUNet(spatial_dims=2, width=2)
    handler = BestWeights(network, tmp_path / "model.pt", {})
    after(handler, 1, best=-1)
    torch.nn.init.zeros_(network.get_parameter(f"{network.stem_key}.weight"))
    after(handler, 2, best=-1)
    assert not loaded(tmp_path / "model.pt")[f"{network.stem_key}.weight"].any()
    assert caplog.text.count("has no value to select by") == 2


def test_a_method_is_kept_with_its_heads_in_a_file_of_its_own(tmp_path: Path) -> None:
    network = GenesisUNet(spatial_dims=2, width=2)
    method = Restoration(network, Identity())
    after(BestWeights(network, tmp_path / "model.pt", {}, method, tmp_path / "method.pt"), 1, best=1)
    assert loaded(tmp_path / "method.pt").keys() == method.state_dict().keys()
    assert loaded(tmp_path / "model.pt").keys() == network.state_dict().keys()


def test_a_state_brings_the_files_of_its_own_best_epoch_back(tmp_path: Path) -> None:
    network = GenesisUNet(spatial_dims=2, width=2)
    method = Restoration(network, Identity())

    def handler() -> BestWeights:
        return BestWeights(network, tmp_path / "model.pt", {}, method, tmp_path / "method.pt")

    first = handler()
    first.load_state_dict({})
    assert not list(tmp_path.iterdir()), "there was no best epoch yet"
    after(first, 1, best=1)
    state = first.state_dict()
    kept = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    after(first, 2, best=2)
    assert (tmp_path / "model.pt").read_bytes() != kept[tmp_path / "model.pt"]
    handler().load_state_dict(state)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == kept
    assert not any(parameter.any() for parameter in network.parameters()), "what is trained is not touched"


def test_only_rank_zero_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monai_sg.handlers.best_weights.rank", lambda: 1)
    after(BestWeights(GenesisUNet(spatial_dims=2, width=2), tmp_path / "model.pt", {}), 1, best=1)
    assert not list(tmp_path.iterdir())
