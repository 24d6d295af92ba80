from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.weights.reading import read_weights


def saved(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "model.pt"
    torch.save(content, path)
    return path


@pytest.mark.parametrize("content", [{}, {"model": {"a": torch.ones(1)}}, {"state_dict": {}}, [torch.ones(1)]])
def test_a_file_that_is_no_flat_state_dict_is_named(tmp_path: Path, content: object) -> None:
    with pytest.raises(ValueError, match=r"model\.pt holds"):
        read_weights(saved(tmp_path, content))


def test_a_file_with_python_objects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"it holds Python objects \(argparse\.Namespace\); nothing was loaded\.$"):
        read_weights(saved(tmp_path, {"opt": argparse.Namespace(lr=1.0)}))


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "it is empty or cut short"), (b"{}", "torch.save did not write it")]
)
def test_another_file_is_refused_without_advice_to_unpickle_it(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"model\.json is not a file of plain weights: {reason}; nothing"):
        read_weights(tmp_path / "model.json")


def test_a_training_checkpoint_of_others_is_explained(tmp_path: Path) -> None:
    path = saved(tmp_path, {"epoch": 3, "model": {"weight": torch.ones(1)}})
    with pytest.raises(ValueError, match=r"holds epoch \(int\), model \(dict\) \(if 'model' are the weights, save"):
        read_weights(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, GenesisUNet(spatial_dims=2, width=4).state_dict())
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="not a file of plain weights"):
        read_weights(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pt do not exist"):
        read_weights(tmp_path / "none.pt")
