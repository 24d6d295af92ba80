"""What is committed is what the sources give, and the sources say everything once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from monai_sg.bundles.build import build
from monai_sg.bundles.configs import REQUIRED, top_of
from monai_sg.utils.json_text import json_text
from tests.bundles.folders import NAMES, TOP, config, content, files, full_configs, overlays, parser, source

LEFT_BY_RUNS = {"models", "eval"}
LINES = 150


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("built")
    build(output)
    return output


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each file of a bundle, without what runs leave there."""
    paths = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {str(name): path.read_bytes() for name, path in paths.items() if name.parts[0] not in LEFT_BY_RUNS}


def test_every_bundle_has_a_source() -> None:
    assert sorted(path.parent.name for path in (TOP / "_src").glob("*/bundle.json")) == NAMES


@pytest.mark.parametrize("bundle", NAMES)
def test_what_is_committed_is_what_is_built(built: Path, bundle: str) -> None:
    assert files_below(built / bundle) == files_below(TOP / bundle)


@pytest.mark.parametrize("bundle", NAMES)
def test_a_bundle_says_only_what_is_its_own(bundle: str) -> None:
    own = [path for path in (TOP / "_src" / bundle).rglob("*") if path.is_file()]
    assert sum(len(path.read_text().splitlines()) for path in own) <= LINES


def test_what_fits_on_a_line_stands_on_one() -> None:
    for path in TOP.rglob("*.json"):
        if not LEFT_BY_RUNS & set(path.relative_to(TOP).parts):
            assert path.read_text() == json_text(content(path)), path


@pytest.mark.parametrize("bundle", [name for name in NAMES if not name.endswith("_pretraining")])
def test_the_training_of_a_fine_tuning_can_be_read(bundle: str) -> None:
    assert len(config(bundle, "train.json").read_text().splitlines()) < 350


@pytest.mark.parametrize("bundle", NAMES)
def test_no_reference_leads_out_of_a_config(bundle: str) -> None:
    for name in files(bundle):
        assert not re.findall(r"%[^\"]*\.(?:json|ya?ml)", config(bundle, name).read_text()), name
    for name in full_configs(bundle):
        assert not [key for key in _keys(content(config(bundle, name))) if key.startswith("+") or "::" in key], name


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for inner in value.values() for key in _keys(inner))]
    return [key for inner in value for key in _keys(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize("bundle", NAMES)
def test_ids_stand_in_one_order(bundle: str) -> None:
    order = [*source(bundle).first_block, *source(bundle).part("core/order.json")["ids"]]
    for name in files(bundle):
        places = [order.index(top_of(key)) for key in content(config(bundle, name))]
        assert places == sorted(places), name


@pytest.mark.parametrize("bundle", NAMES)
def test_what_a_user_can_change_has_an_effect(bundle: str) -> None:
    for name in full_configs(bundle):
        own = [overlay for overlay, target in overlays(bundle) if target == name]
        text = "".join(config(bundle, each).read_text() for each in (name, *own))
        block = [key for key in content(config(bundle, name)) if key in source(bundle).first_block]
        assert set(REQUIRED) <= set(block)
        assert [key for key in block if not re.search(rf"[@%]{key}\b", text) and key not in REQUIRED] == [], name


@pytest.mark.parametrize("bundle", NAMES)
def test_no_handler_is_named_by_its_place_in_a_list(bundle: str) -> None:
    for path in [*(TOP / "_src").rglob("*.json"), *(TOP / bundle / "configs").glob("*.json")]:
        assert not re.findall(r"handlers(?:::|#)\d|handlers\[", path.read_text()), path


@pytest.mark.parametrize("bundle", NAMES)
def test_readme_has_a_row_for_each_id_of_the_first_block(bundle: str) -> None:
    lines = (TOP / bundle / "docs" / "README.md").read_text().splitlines()
    rows = {line.split("|")[1].strip(" `"): line for line in lines if line.startswith("| `")}
    having = {name: content(config(bundle, name)) for name in full_configs(bundle)}
    known = [key for key in source(bundle).first_block if any(key in each for each in having.values())]
    assert [key for key in rows if key in source(bundle).first_block] == known
    for key in known:
        _, _, default, meaning, where, _ = re.split(r"(?<!\\) ?\| ?", rows[key])
        assert meaning == source(bundle).meanings[key]
        names = [name for name, each in having.items() if key in each]
        assert where == ("all" if len(names) == len(having) else ", ".join(f"`{name[:-5]}`" for name in names))
        for value in (having[name][key] for name in names):
            assert isinstance(value, dict) or json.dumps(value) in default.replace("\\|", "|")


@pytest.mark.parametrize("bundle", NAMES)
def test_commands_of_the_readme_name_configs_and_ids_that_are_there(bundle: str) -> None:
    text = (TOP / bundle / "docs" / "README.md").read_text()
    commands = re.findall(r"^.*-m monai\.bundle run .*$", text, flags=re.MULTILINE)
    named = [re.findall(r"configs/(\w+\.json)", command) for command in commands]
    assert {name for names in named for name in names} >= {*full_configs(bundle), "evaluate.json"}
    for command, names in zip(commands, named, strict=True):
        flags = set(re.findall(r"--(\w+) ", command.partition("monai.bundle run")[2])) - {"config_file", "args_file"}
        assert all(flag in parser(bundle, names) for flag in flags), command
