"""What the network of the liver bundle is trained on: patches, loss, and numbers that all configs share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.transforms import Compose

from monai_sg.handlers.history import read_history
from monai_sg.utils.files import read_json
from tests.bundles.families.segmentation import (
    BUNDLE,
    EVALUATE,
    INFERENCE,
    PAPER,
    TRAIN,
    made,
    overrides,
    run,
    write_cubes,
)
from tests.bundles.folders import parser


@pytest.fixture(scope="module")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cubes far enough from the border that a patch centred on one is not moved."""
    return write_cubes(tmp_path_factory.mktemp("cubes"), number=3, size=40)


def soft_dice(logits: torch.Tensor, label: torch.Tensor) -> float:
    p, g = logits.sigmoid().flatten().double(), label.flatten().double()
    return float(1 - (2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1))


def cross_entropy(logits: torch.Tensor, label: torch.Tensor) -> float:
    p, g = logits.sigmoid().flatten().double(), label.flatten().double()
    return float(-(g * p.log() + (1 - g) * (1 - p).log()).mean())


@pytest.mark.parametrize(("names", "more"), [(TRAIN, math.log(2)), (PAPER, 0.0)])
def test_loss_is_the_soft_dice_of_the_whole_batch_with_cross_entropy_by_default(names: list[str], more: float) -> None:
    loss = parser(BUNDLE, names).get_parsed_content("loss")
    logits, label = torch.zeros(2, 1, 2, 2, 1), torch.zeros(2, 1, 2, 2, 1)
    label[0] = 1  # the first image is all foreground, the second has none, and p is 0.5 throughout
    assert float(loss(logits, label)) == pytest.approx(1 - (2 * 2 + 1) / (4 + 4 + 1) + more)


@pytest.mark.parametrize("names", [TRAIN, PAPER])
@pytest.mark.parametrize("axes", [2, 3])
def test_patches_are_varied_by_default_and_left_as_they_are_in_the_paper(names: list[str], axes: int) -> None:
    parsed = parser(BUNDLE, names, {"spatial_dims": axes})
    varied = Compose(parsed.get_parsed_content("train::random_transforms")).set_random_state(seed=0)
    image = torch.linspace(0, 1, 16**axes).reshape(1, *[16] * axes)
    label = (image > 0.5).float()
    items = [varied({"image": image.clone(), "label": label.clone()}) for _ in range(20)]
    same = [torch.equal(torch.as_tensor(item["image"]), image) for item in items]
    assert sum(same) < 10 if names == TRAIN else all(same)
    for item in items:
        assert item["image"].shape == item["label"].shape == image.shape
        assert set(item["label"].unique().tolist()) <= {0.0, 1.0}
        # Both were turned alike: where the label says so, the image is bright.
        inside, outside = (float(item["image"][item["label"] == value].mean()) for value in (1, 0))
        assert inside > outside + 0.3


@pytest.mark.parametrize("names", [TRAIN, PAPER])
def test_the_learning_rate_follows_its_preset(cubes: Path, tmp_path: Path, names: list[str]) -> None:
    values = {"lr_scheduler::patience": 0, "lr_scheduler::threshold": 9.0} if names == PAPER else {}
    run(names, cubes, tmp_path, epochs=4, learning_rate=0.01, **values)
    rates = [row["learning_rate"] for row in read_history(tmp_path / "train" / "metrics.csv")]
    # A threshold that no loss meets halves the rate after every epoch but the first.
    halved = [0.01, 0.005, 0.0025, 0.00125]
    cosine = [0.005 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(1, 5)]
    assert rates == pytest.approx(halved if names == PAPER else cosine, abs=1e-9)
    assert read_json(tmp_path / "models" / "model.json")["preset"] == ("paper" if names == PAPER else "default")


def test_trainer_minimises_that_loss_on_patches_of_the_size_asked_for(cubes: Path, tmp_path: Path) -> None:
    one = made(TRAIN, cubes, tmp_path, roi_size=[16, 24, 8], patches_per_volume=3, batch_size=3)
    trainer = one.parser.get_parsed_content("train::trainer")
    seen = []

    def note(engine: Engine) -> None:
        output = engine.state.output
        pred, label = output["pred"].detach(), output["label"]
        seen.append((output["loss"].detach(), soft_dice(pred, label) + cross_entropy(pred, label)))
        assert output["image"].shape == output["label"].shape == (3, 1, 16, 24, 8)
        assert output["image"].dtype == torch.float32
        assert set(output["label"].unique().tolist()) <= {0.0, 1.0}

    trainer.add_event_handler(Events.ITERATION_COMPLETED, note)
    one.run()
    assert len(seen) == len(one.parser.get_parsed_content("train::dataset"))
    for loss, expected in seen:
        assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.5, 0.4, 0.6), (0.9, 0.82, 0.98), (1.0, 1, 1)])
def test_patches_are_centred_on_foreground_by_the_share_asked_for(
    cubes: Path, tmp_path: Path, share: float, low: float, high: float
) -> None:
    dataset = made(PAPER, cubes, tmp_path, foreground_share=share).parser.get_parsed_content("train::dataset")
    centres = [float(dataset[epoch, 0][0]["label"][0, 8, 8, 8]) for epoch in range(200)]
    assert low <= sum(centres) / len(centres) <= high


def test_images_smaller_than_a_patch_are_padded(tmp_path: Path) -> None:
    cubes = write_cubes(tmp_path / "small", number=3, size=12)
    dataset = made(TRAIN, cubes, tmp_path / "run").parser.get_parsed_content("train::dataset")
    item = dataset[0][0]
    assert item["image"].shape == item["label"].shape == (1, 16, 16, 16)


CHANGES = [
    {"spacing": [12.0, 9.0, 15.0]},
    {"orientation": "LSP"},
    {"image_size": [20, 24, -1]},
    {"intensity_range": [-100, 300]},
    {"intensity_range": "percentile"},
    {"structures": {"tumour": [2]}},
]


def prepared(data: Path, output: Path, **more: Any) -> dict[str, dict[str, torch.Tensor]]:
    """Return one case as training, validation, evaluation and inference see it."""
    record = {"image": str(data / "volume-0.nii"), "label": str(data / "segmentation-0.nii"), "id": "volume-0"}
    sources = {
        "training": (TRAIN, "train::preprocessing"),
        "validation": (TRAIN, "validate::preprocessing"),
        "evaluation": (EVALUATE, "validate::dataset::transform"),
        "inference": (INFERENCE, "preprocessing"),
    }
    return {
        kind: parser(BUNDLE, names, overrides(data, output, **more)).get_parsed_content(name)(record)
        for kind, (names, name) in sources.items()
    }


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_one_override_reaches_training_validation_evaluation_and_inference(
    liver_cohort: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    usual, changed = (prepared(liver_cohort, tmp_path, **more) for more in ({}, change))
    for cases in (usual, changed):
        for kind, case in cases.items():
            # Prepared images are stored in 16 bit.
            torch.testing.assert_close(
                case["image"].float(), cases["inference"]["image"].float(), atol=1e-3, rtol=1e-3, msg=kind
            )
        assert torch.equal(cases["training"]["label"], cases["validation"]["label"])
    for kind in changed:
        before, after = usual[kind]["image"], changed[kind]["image"]
        assert (before.shape == after.shape and torch.equal(before, after)) == ("structures" in change), kind
    if "structures" in change:
        for kind in ("training", "validation", "evaluation"):
            assert 0 < changed[kind]["label"].sum() < usual[kind]["label"].sum(), kind
    own = changed["evaluation"]["label"]
    assert own.shape == usual["evaluation"]["label"].shape, "measured in the geometry of the label itself"


def test_roi_size_reaches_training_validation_evaluation_and_inference(liver_cohort: Path, tmp_path: Path) -> None:
    values = overrides(liver_cohort, tmp_path, roi_size=[16, 8, 24])
    get = parser(BUNDLE, TRAIN, values).get_parsed_content
    assert get("train::dataset")[0][0]["image"].shape == (1, 16, 8, 24)
    assert get("preflight").crop_size == (16, 8, 24)
    assert get("validate::inferer").roi_size == [16, 8, 24]
    assert parser(BUNDLE, EVALUATE, values).get_parsed_content("validate::inferer").roi_size == [16, 8, 24]
    assert parser(BUNDLE, INFERENCE, values).get_parsed_content("inferer").roi_size == [16, 8, 24]
