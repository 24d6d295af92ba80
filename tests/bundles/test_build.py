from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from monai_sg.bundles import argument_table, build
from tests.bundles.folders import NAMES, TOP, config, content, first_block, full_configs, parser, recipe

LEFT_BY_RUNS = {"models", "eval"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("built")
    build(output)
    return output


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file of a bundle, without what runs leave there."""
    paths = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {str(name): path.read_bytes() for name, path in paths.items() if name.parts[0] not in LEFT_BY_RUNS}


def test_every_bundle_has_a_recipe() -> None:
    assert sorted(path.parent.name for path in (TOP / "_src").glob("*/recipe.json")) == NAMES


@pytest.mark.parametrize("bundle", NAMES)
def test_what_is_committed_is_what_is_built(built: Path, bundle: str) -> None:
    assert files_below(built / bundle) == files_below(TOP / bundle)


@pytest.mark.parametrize("bundle", NAMES)
def test_json_is_indented_by_four_and_ends_with_a_newline(bundle: str) -> None:
    for path in (TOP / bundle / "configs").glob("*.json"):
        assert path.read_text() == json.dumps(content(path), indent=4) + "\n", path


@pytest.mark.parametrize("bundle", NAMES)
def test_no_reference_leads_out_of_a_config(bundle: str) -> None:
    for name in recipe(bundle)["files"]:
        assert not re.findall(r"%[^\"]*\.(?:json|ya?ml)", config(bundle, name).read_text()), name
    for name in full_configs(bundle):
        assert not [key for key in _keys(content(config(bundle, name))) if key.startswith("+") or "::" in key], name


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for inner in value.values() for key in _keys(inner))]
    return [key for inner in value for key in _keys(inner)] if isinstance(value, list) else []


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """Make sources of a bundle of one config in two parts."""
    source = tmp_path / "bundles" / "_src"
    parts = {
        "fragments/base.json": {"size": 2, "double": "$2 * @size", "shape": "@size", "list": [1], "net": {"width": 1}},
        "fragments/arguments.json": {"size": "voxels"},
        "toy/own.json": {"+list": ["@double"], "net::width": "@size", "copy": "%net"},
        "toy/arguments.json": {},
        "toy/metadata.json": {"version": "0.1.0"},
        "toy/overlay.json": {"net::width": 5},
        "toy/block.json": {"size": 2},
        "toy/recipe.json": {
            "files": {"train.json": ["../fragments/base.json", "own.json"], "overlay.json": ["overlay.json"]},
            "overlays": {"overlay.json": ["train.json"]},
            "first_block": ["block.json"],
        },
    }
    for name, value in parts.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(json.dumps(value))
    (source / "toy" / "README.md").write_text("{{arguments}}\n")
    (source / "toy" / "docs").mkdir()
    (source / "toy" / "docs" / "data_license.txt").write_text("free\n")
    for place, name in ((source / "fragments", "logging.conf"), (source.parent.parent, "LICENSE")):
        (place / name).write_text(f"{name}\n")
    return source


def test_parts_are_merged_and_references_inside_stay(toy: Path) -> None:
    build(toy.parent, toy)
    assert content(toy.parent / "toy/configs/train.json") == {
        "size": 2,
        "double": "$2 * @size",
        "shape": "@size",
        "list": [1, "@double"],
        "net": {"width": "@size"},
        "copy": "%net",
    }
    assert content(toy.parent / "toy/configs/overlay.json") == {"net::width": 5}
    assert (toy.parent / "toy/docs/README.md").read_text() == (
        "| id | default | meaning |\n|---|---|---|\n| `size` | `2` | voxels |\n"
    )
    assert sorted(files_below(toy.parent / "toy")) == [
        "LICENSE",
        "configs/logging.conf",
        "configs/metadata.json",
        "configs/overlay.json",
        "configs/train.json",
        "docs/README.md",
        "docs/data_license.txt",
    ]


def test_an_argument_needs_a_description(toy: Path) -> None:
    (toy / "fragments" / "arguments.json").write_text("{}")
    with pytest.raises(KeyError, match="size"):
        argument_table(toy / "toy", content(toy / "toy/recipe.json"))


def test_build_needs_recipes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no recipes; bundles are built in a checkout"):
        build(tmp_path, tmp_path)


def test_build_does_not_depend_on_the_current_folder(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    build("here")
    assert files_below(tmp_path / "here") == files_below(built)


@pytest.mark.parametrize("bundle", NAMES)
def test_first_block_is_shared_word_for_word(bundle: str) -> None:
    block = first_block(bundle)
    for name in full_configs(bundle):
        own = content(TOP / "_src" / bundle / name)
        merged = content(config(bundle, name))
        assert list(merged)[: len(block)] == list(block), name
        assert {key: merged[key] for key in block} == {key: own.get(key, value) for key, value in block.items()}, name


def test_stages_of_pre_training_change_only_lengths_of_the_first_block() -> None:
    for bundle in (name for name in NAMES if name.endswith("_pretraining")):
        block = first_block(bundle)
        changed = {name: set(block) & set(content(TOP / "_src" / bundle / name)) for name in full_configs(bundle)}
        assert set().union(*changed.values()) <= {"epochs", "batch_size"}
        assert not changed["inference.json"]


@pytest.mark.parametrize("bundle", NAMES)
def test_readme_has_a_row_for_each_id_of_the_first_block(bundle: str) -> None:
    lines = (TOP / bundle / "docs" / "README.md").read_text().splitlines()
    rows = {line.split("|")[1].strip(" `"): line for line in lines if line.startswith("| `")}
    block = first_block(bundle)
    assert [name for name in rows if name in block] == list(block)
    for name in full_configs(bundle):
        for key in set(block) & set(content(TOP / "_src" / bundle / name)):
            assert f"`{json.dumps(parser(bundle, [name])[key])}` in `{name}`" in rows[key]
