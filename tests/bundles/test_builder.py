"""The builder on sources of its own: what it merges, leaves out and refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from monai_sg.bundles.build import build
from monai_sg.bundles.packed import self_contained
from tests.bundles.test_build import files_below

NET = {"_target_": "UNet", "spatial_dims": "@spatial_dims", "in_channels": 1, "out_channels": "@outputs"}
PARTS: dict[str, Any] = {
    "core/user.json": {"bundle_root": ".", "dataset_dir": "data", "device": "cpu", "size": 2, "lost": 1, "deep": 3},
    "core/arguments.json": {name: f"the {name}" for name in ("bundle_root", "dataset_dir", "device", "lost", "deep")},
    "core/order.json": {
        "ids": ["imports", "double", "copy", "list", "network_def", "model", "train", "initialize", "run"],
        "train_and_validate": ["data", "trainer"],
        "metadata": ["version", "name", "references", "stages", "network_data_format"],
    },
    "core/metadata.json": {
        "network_data_format": {
            "inputs": {"image": {"spatial_shape": ["8*n"]}},
            "outputs": {"pred": {"spatial_shape": ["8*n"]}},
        }
    },
    "core/distributed.json": {"+imports": ["$import dist"], "model": "wrapped", "absent": 1, "+initialize": ["$dist"]},
    "families/toys/user.json": {"spatial_dims": 2, "outputs": 3, "unused": "@lost", "overlaid": 4},
    "families/toys/arguments.json": {name: name for name in ("size", "spatial_dims", "outputs", "unused", "overlaid")},
    "families/toys/metadata.json": {},
    "families/toys/base.json": {
        "run": ["$@double"],
        "initialize": [],
        "imports": [],
        "double": "$2 * @size",
        "list": [1],
        "train": {"trainer": {"_target_": "Trainer", "epochs": 1}, "data": "%list"},
    },
    "families/toys/own.json": {"+list": ["@double"], "model": "@network_def", "train::extra": "@model"},
    "families/toys/overlay.json": {"train::data": "@overlaid", "train::trainer::amp": False},
    "families/toys/family.json": {
        "files": {
            "train.json": ["base.json", "own.json"],
            "inference.json": ["base.json"],
            "evaluate.json": ["overlay.json"],
            "multi_gpu_train.json": ["core/distributed.json"],
        },
        "overlays": {"evaluate.json": ["train.json"], "multi_gpu_train.json": ["train.json"]},
    },
    "toy/metadata.json": {"version": "0.1.0", "name": "Toy", "references": ["A."]},
    "toy/bundle.json": {
        "family": "toys",
        "network": NET,
        "stages": ["train"],
        "ids": {"size": 5, "train::trainer::epochs": "@deep", "model": "@double"},
    },
}
TEXTS = {
    "core/logging.conf": "logging\n",
    "../../LICENSE": "licence\n",
    "families/toys/README.md": "# {{title}} ({{bundle}})\n\n{{about}}\n\n{{data}}\n\n{{commands}}\n{{several_gpus}}\n"
    "{{arguments}}\n{{references}}\n",
    "toy/README.md": "About.\n\n## Data\n\nNone.\n",
    "toy/docs/data_license.txt": "free\n",
}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """Write the sources of a family and of one bundle of it."""
    source = tmp_path / "bundles" / "_src"
    for name, text in {**TEXTS, **{name: json.dumps(value) for name, value in PARTS.items()}}.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    return source


def change(toy: Path, name: str, **more: Any) -> None:
    (toy / name).write_text(json.dumps({**PARTS[name], **more}))


def refusal(toy: Path) -> str:
    with pytest.raises(ValueError, match=r".") as error:
        build(toy.parent, toy)
    return str(error.value)


def built(toy: Path, name: str) -> dict[str, Any]:
    build(toy.parent, toy)
    found: dict[str, Any] = json.loads((toy.parent / "toy" / "configs" / name).read_text())
    return found


def test_core_family_and_instance_are_merged_in_order_and_unused_ids_are_left_out(toy: Path) -> None:
    train = built(toy, "train.json")
    assert train == {
        "bundle_root": ".",
        "dataset_dir": "data",
        "device": "cpu",
        "size": 5,
        "deep": 3,
        "spatial_dims": 2,
        "outputs": 3,
        "overlaid": 4,
        "imports": [],
        "double": "$2 * @size",
        "list": [1, "@double"],
        "network_def": NET,
        "model": "@double",
        "train": {"data": "%list", "trainer": {"_target_": "Trainer", "epochs": "@deep"}, "extra": "@model"},
        "initialize": [],
        "run": ["$@double"],
    }
    block = ["bundle_root", "dataset_dir", "device", "size", "deep", "spatial_dims", "outputs", "overlaid"]
    others = ["imports", "double", "list", "network_def", "model", "train", "initialize", "run"]
    assert list(train) == [*block, *others]
    assert list(train["train"]) == ["data", "trainer", "extra"]


def test_an_id_goes_to_the_configs_that_have_it(toy: Path) -> None:
    inference = built(toy, "inference.json")
    assert "model" not in inference
    assert inference["train"]["trainer"]["epochs"] == "@deep"
    assert "overlaid" not in inference, "only an overlay of train.json needs it"


def test_what_is_said_about_several_processes_is_kept_where_the_targets_have_the_id(toy: Path) -> None:
    distributed = built(toy, "multi_gpu_train.json")
    assert distributed == {"+imports": ["$import dist"], "model": "wrapped", "+initialize": ["$dist"]}


def test_metadata_says_what_the_network_takes_and_gives(toy: Path) -> None:
    assert built(toy, "metadata.json") == {
        "version": "0.1.0",
        "name": "Toy",
        "references": ["A."],
        "stages": ["train"],
        "network_data_format": {
            "inputs": {"image": {"spatial_shape": ["8*n", "8*n"], "num_channels": 1}},
            "outputs": {"pred": {"spatial_shape": ["8*n", "8*n"], "num_channels": 3}},
        },
    }


def test_the_readme_is_the_familys_with_the_sections_of_the_bundle(toy: Path) -> None:
    build(toy.parent, toy)
    text = (toy.parent / "toy" / "docs" / "README.md").read_text()
    run = "-m monai.bundle run --config_file"
    assert text.startswith("# Toy (toy)\n\nAbout.\n\nNone.\n")
    assert f"python {run} configs/train.json --dataset_dir DIR\n" in text
    assert f"python {run} \"['configs/train.json','configs/evaluate.json']\" --dataset_dir DIR\n" in text
    assert f"{run} \"['configs/train.json','configs/multi_gpu_train.json']\" --dataset_dir DIR\n" in text
    assert "| `size` | `5` | size | all |\n" in text
    assert "| `deep` | `3` | the deep | all |\n" in text
    assert "| `overlaid` | `4` | overlaid | `train` |\n" in text
    assert "unused" not in text
    assert text.endswith("- A.\n")


def test_every_file_of_a_bundle_is_written(toy: Path) -> None:
    build(toy.parent, toy)
    assert sorted(files_below(toy.parent / "toy")) == [
        "LICENSE",
        "configs/evaluate.json",
        "configs/inference.json",
        "configs/logging.conf",
        "configs/metadata.json",
        "configs/multi_gpu_train.json",
        "configs/train.json",
        "docs/README.md",
        "docs/data_license.txt",
    ]


def test_an_unknown_family_is_named_with_those_there_are(toy: Path) -> None:
    change(toy, "toy/bundle.json", family="toy")
    assert refusal(toy) == f"{toy}/toy/bundle.json names the family 'toy'; there are toys."


def test_an_id_that_the_family_lacks_is_named_with_the_nearest(toy: Path) -> None:
    change(toy, "toy/bundle.json", ids={"siz": 1})
    assert refusal(toy) == (
        f"{toy}/toy/bundle.json sets 'siz', an id that its family 'toys' lacks; did you mean 'size'?"
    )
    change(toy, "toy/bundle.json", ids={"train::sampler": None})
    assert refusal(toy).endswith("sets 'train::sampler', an id that its family 'toys' lacks.")


def test_an_id_of_the_first_block_needs_a_description(toy: Path) -> None:
    change(toy, "families/toys/user.json", hidden=1)
    assert "The id 'hidden' has no description; add one to " in refusal(toy)


def test_an_entry_that_every_bundle_has_is_missing(toy: Path) -> None:
    (toy / "toy/bundle.json").write_text(json.dumps({"family": "toys", "network": NET}))
    assert refusal(toy) == f"{toy}/toy/bundle.json has no 'stages'; every bundle names family, network and stages."


def test_an_overlay_cannot_add_an_id(toy: Path) -> None:
    change(toy, "families/toys/overlay.json", **{"validate::data": 1})
    assert refusal(toy).endswith("evaluate.json sets 'validate::data', an id that train.json lacks.")


def test_every_id_has_a_place(toy: Path) -> None:
    change(toy, "families/toys/own.json", unplaced=1)
    assert refusal(toy) == f"train.json has the id 'unplaced'; give it a place in {toy}/core/order.json."
    change(toy, "families/toys/own.json")
    change(toy, "toy/metadata.json", notes="")
    assert "metadata.json of toy has 'notes'; give it a place in" in refusal(toy)


def test_no_section_of_a_readme_is_lost(toy: Path) -> None:
    (toy / "toy/README.md").write_text("About.\n\n## Data\n\nNone.\n\n## Thanks\n\nTo all.\n")
    assert "has no {{thanks}} for that section of toy." in refusal(toy)


def test_build_needs_sources(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no bundle\.json; bundles are built in a checkout"):
        build(tmp_path, tmp_path)


def test_build_does_not_depend_on_the_current_folder(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(toy.parent, toy)
    expected = files_below(toy.parent / "toy")
    shutil.rmtree(toy.parent / "toy")
    monkeypatch.chdir(tmp_path)
    build("here", toy)
    assert files_below(tmp_path / "here" / "toy") == expected


def test_a_packed_config_is_without_what_nothing_refers_to_any_more() -> None:
    config = {
        "bundle_root": ".",
        "folder": "data",
        "pattern": "*",
        "list": {"_target_": "Scan", "folder": "@folder", "pattern": "@pattern"},
        "check": {"_target_": "Check", "of": "@list"},
        "data": {"items": "@list", "size": 1},
        "size": None,
        "run": ["$@check", "$@data"],
    }
    overlay = {"list": None, "check": None, "data::items": "$glob(@folder)"}
    assert self_contained(config, overlay) == {
        "bundle_root": ".",
        "folder": "data",
        "check": None,
        "data": {"items": "$glob(@folder)", "size": 1},
        "size": None,
        "run": ["$@check", "$@data"],
    }
    assert self_contained({"data::items": "@list", "run": []}, {"data::items": 1}) == {"data::items": 1, "run": []}
