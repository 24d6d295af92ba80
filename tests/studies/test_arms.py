from __future__ import annotations

from pathlib import Path

import pytest

from monai_sg.studies.arms import Arm, read_arms, shared_overrides
from monai_sg.utils.bundle_folders import SEGMENTATION, bundle_root
from monai_sg.utils.errors import UserError
from monai_sg.utils.files import sha256_of, write_json
from monai_sg.weights.description import VERSION

CONFIG = bundle_root(SEGMENTATION) / "configs" / "train.json"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name / "model.pt" for name in ("a", "b", "c")]
    for path in made:
        path.parent.mkdir()
        path.touch()
    return made


def test_arms_are_read_with_files_and_part(files: list[Path]) -> None:
    a, b, c = files
    found = read_arms([f"pre-trained={a}", f"both seeds={a},{b}", f"Models Genesis={c}:encoder"])
    assert found == [
        Arm("pre-trained", (a,)),
        Arm("both seeds", (a, b)),
        Arm("Models Genesis", (c,), "encoder"),
    ]


def test_seeds_take_the_files_in_turn(files: list[Path]) -> None:
    arm = Arm("both seeds", tuple(files[:2]), "encoder")
    assert [arm.weights_of(number) for number in range(3)] == [files[0], files[1], files[0]]
    assert arm.overrides(1) == {"pretrained_path": str(files[1]), "pretrained_part": "encoder"}
    assert arm.place(7, 1, 50) == "both_seeds_weights_2_seed_7_epochs_50"
    assert Arm("from scratch").overrides(1) == {"pretrained_path": None}
    assert Arm("from scratch").place(7, 1, 50) == "from_scratch_seed_7_epochs_50"


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["model.pt"], "is not name=file"),
        (["=model.pt"], "is not name=file"),
        (["a="], "is not name=file"),
        (["a=absent/model.pt"], "There are no weights .*absent/model.pt"),
        (["a={0}", "a={1}"], "Two arms are called 'a'"),
        (["from scratch={0}"], "Two arms are called 'from scratch'"),
    ],
)
def test_arms_that_make_no_sense_are_refused(files: list[Path], texts: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_arms([text.format(*files) for text in texts])


def test_descriptions_must_agree(files: list[Path]) -> None:
    def describe(path: Path, width: int) -> None:
        encoder = {"spatial_dims": 3, "in_channels": 1, "width": width}
        network = {"class": "monai_sg.networks.genesis_unet.GenesisUNet", "arguments": encoder | {"out_channels": 1}}
        write_json(path.with_suffix(".json"), {"version": VERSION, "sha256": sha256_of(path), "network": network})

    arms = [Arm("a", (files[0],)), Arm("b", (files[1],))]
    describe(files[0], 8)
    describe(files[1], 8)
    assert shared_overrides(arms, CONFIG)["width"] == 8
    describe(files[1], 16)
    with pytest.raises(UserError, match=r"width is 16 beside .*b/model.pt, but 8 beside .*a/model.pt"):
        shared_overrides(arms, CONFIG)
