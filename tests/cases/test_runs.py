from __future__ import annotations

import logging
import pickle
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.runs.command_line import check_command_line
from monai_sg.runs.workflow import CheckedWorkflow
from monai_sg.utils.errors import UserError
from monai_sg.weights.inspect import inspect_weights
from monai_sg.weights.load import initialised
from tests.bundles.families.segmentation import EVALUATE, TRAIN, cause, interrupted, made, overrides, run, write_cubes
from tests.bundles.folders import TOP, workflow

PROGRAM = "/somewhere/site-packages/monai/bundle/__main__.py"
LIVER = TOP / "lcs_liver_ct_segmentation"
NETWORK = {"spatial_dims": 3, "width": 4}


@pytest.fixture(scope="module")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cubes(tmp_path_factory.mktemp("cubes"))


def test_more_epochs_go_on_and_fewer_are_answered(
    cubes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run(TRAIN, cubes, tmp_path)
    run(TRAIN, cubes, tmp_path, epochs=2)
    assert "Resumes after epoch 1 of 2" in caplog.text
    assert "an epoch that is better than those before overwrites the weights" in caplog.text
    interrupted(cubes, tmp_path / "killed", epoch=3, epochs=30)
    run(TRAIN, cubes, tmp_path / "killed", epochs=1)
    assert "2 epochs were trained before, so nothing is left to train for epochs = 1" in caplog.text


def test_what_worker_processes_get_can_be_sent_to_them(cubes: Path, phantom_cohort: Path, tmp_path: Path) -> None:
    liver = made(TRAIN, cubes, tmp_path / "liver").parser.get_parsed_content("train::dataset")
    pretraining = workflow(
        "semantic_genesis_ct_pretraining",
        ["autoencoder.json"],
        {**overrides(phantom_cohort, tmp_path / "genesis"), "overview_size": [32, 32, 32], "batch_size": 2},
    ).parser.get_parsed_content("train::dataset")
    for dataset in (liver, pretraining):
        sent = pickle.loads(pickle.dumps(dataset))  # as processes are started on macOS and Windows
        one, other = dataset[0], sent[0]
        one, other = (one[0], other[0]) if isinstance(one, list) else (one, other)
        assert torch.equal(torch.as_tensor(one["image"]), torch.as_tensor(other["image"]))


@cache
def state() -> dict[str, torch.Tensor]:
    """Return weights that no network of the test begins with."""
    return {name: value + 1 for name, value in GenesisUNet(**NETWORK).state_dict().items()}


def variants() -> dict[str, tuple[Any, str | None]]:
    """Return what a file of weights may hold, and the reason of a refusal."""
    plain = state()
    stem = next(name for name, value in plain.items() if value.dim() == 5)
    return {
        "ddp": ({f"module.{name}": value for name, value in plain.items()}, None),
        "compiled": ({f"_orig_mod.{name}": value for name, value in plain.items()}, None),
        "lightning": ({"state_dict": {f"model.{name}": value for name, value in plain.items()}, "epoch": 3}, None),
        "other_head": ({**plain, "head.weight": torch.ones(5, *plain["head.weight"].shape[1:])}, None),
        "four_channels": ({**plain, stem: torch.ones(len(plain[stem]), 4, 3, 3, 3)}, None),
        "encoder_only": ({name: value for name, value in plain.items() if name.startswith("encoder")}, "encoder$"),
        "nan": ({**plain, stem: torch.full_like(plain[stem], float("nan"))}, rf"{stem} in .* not finite"),
    }


@pytest.mark.parametrize("name", variants())
def test_weights_are_loaded_or_refused_with_the_true_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.INFO)
    content, reason = variants()[name]
    path = tmp_path / "model.pt"
    torch.save(content, path)
    if reason is not None:
        with pytest.raises(ValueError, match=reason.replace("encoder$", "--pretrained_part encoder")):
            initialised(GenesisUNet(**NETWORK), path)
        if name == "encoder_only":
            network = initialised(GenesisUNet(**NETWORK), path, "encoder")
            assert all(torch.equal(network.state_dict()[key], value) for key, value in content.items())
        return
    network = initialised(GenesisUNet(**NETWORK), path)
    decoder = next(key for key in state() if key.startswith("decoder"))
    assert torch.equal(network.state_dict()[decoder], state()[decoder])
    said = {"ddp": "'module.' taken off", "compiled": "'_orig_mod.' taken off", "lightning": "'model.' taken off"}
    assert said.get(name, "") in caplog.text
    assert ("adapted" in caplog.text) == (name == "four_channels")
    assert any("encoder" in line for line in inspect_weights(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "it is incomplete, its end is missing; copy or download it again"),
        (b"<!DOCTYPE html><html>Quota exceeded</html>\n", r"it is a web page or XML \(was a download refused\?\)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS"),
    ],
)
def test_files_that_hold_no_weights_are_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "model.pt"
    torch.save(state(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3] if content is None else content)
    with pytest.raises(UserError, match=reason):
        initialised(GenesisUNet(**NETWORK), path)


def test_weights_that_were_moved_are_asked_for(cubes: Path, tmp_path: Path) -> None:
    with pytest.raises((RuntimeError, OSError)) as error:
        run(EVALUATE, cubes, tmp_path / "moved")
    assert "does not exist" in str(cause(error.value))
    assert "ckpt_dir" in str(cause(error.value))


def test_places_count_from_where_one_is_and_may_hold_spaces(
    cubes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "a place"
    shutil.copytree(LIVER, here / "bundle")
    (here / "data").symlink_to(cubes)
    monkeypatch.chdir(here)
    before = set((here / "bundle").rglob("*"))
    own = overrides(Path("data"), Path("out"))
    made_here = CheckedWorkflow(["bundle/configs/train.json"], logging_file=False, workflow_type=None, **own)
    made_here.initialize()
    assert len(made_here.parser.get_parsed_content("images").records) == 6
    assert (here / "out/datalist.json").is_file()
    assert set((here / "bundle").rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train"], "`monai.bundle run train` would run nothing"),
        (["--Width", "8"], "names no id of .*; did you mean width"),
        (["--amp", "true"], "--amp true would be read as a text; write True"),
        (["--network_def#width", "8"], None),
        (["--roi_size", "32,32,16"], None),
    ],
)
def test_what_was_typed_is_taken_as_meant_or_answered(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str | None
) -> None:
    named, flags = arguments[:1] if arguments[0] == "train" else [], arguments if arguments[0] != "train" else []
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(
        sys, "argv", [PROGRAM, "run", *named, "--config_file", str(LIVER / "configs/train.json"), *flags]
    )
    if sentence is None:
        check_command_line()
    else:
        with pytest.raises(UserError, match=sentence):
            check_command_line()


def test_half_an_epoch_is_refused_before_an_image_is_read(tmp_path: Path) -> None:
    with pytest.raises((RuntimeError, ValueError)) as error:
        made(TRAIN, tmp_path / "nothing here", tmp_path / "run", epochs=1.5)
    assert "epochs = 1.5 does not fit: write a whole number" in str(cause(error.value))
