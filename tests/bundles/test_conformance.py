"""What MONAI, the Model Zoo and MONAI Label expect of a bundle."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from monai.bundle import ckpt_export, verify_metadata, verify_net_in_out

from monai_sg.utils.files import sha256_of
from tests.bundles.cases import case
from tests.bundles.folders import FOLDERS, NAMES, config, content, parser

SCHEMA = Path(__file__).parent / "schema" / "meta_schema_20240725.json"
WORDS_OF_LABEL = ("deepedit", "deepgrow", "detection")
WIDTHS = [4, 32]


@pytest.fixture(params=FOLDERS, ids=NAMES)
def bundle(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.param
    return folder


def test_metadata_follows_the_schema(bundle: Path, tmp_path: Path) -> None:
    schema = shutil.copy(SCHEMA, tmp_path / "schema.json")
    verify_metadata(
        meta_file=str(bundle / "configs" / "metadata.json"),
        filepath=str(schema),
        hash_val=sha256_of(SCHEMA),
        hash_type="sha256",
    )


def test_metadata_has_what_the_zoo_asks_for(bundle: Path) -> None:
    metadata = content(bundle / "configs" / "metadata.json")
    assert metadata["schema"].endswith(SCHEMA.name)
    assert metadata["version"] in metadata["changelog"]
    assert isinstance(metadata["supported_apps"], dict)
    for name in ("name", "task", "description", "authors", "copyright", "intended_use", "data_source", "data_type"):
        assert metadata[name], name
    versions = {name: metadata[f"{name}_version"] for name in ("monai", "pytorch", "numpy")}
    for name, version in (versions | metadata["required_packages_version"]).items():
        assert version.replace(".", "").isdigit(), name


def test_files_are_those_of_the_zoo(bundle: Path) -> None:
    assert (bundle / "LICENSE").read_text().lstrip().startswith("Apache License")
    for name in ("inference.json", "train.json", "logging.conf"):
        assert (bundle / "configs" / name).is_file()
    assert (bundle / "docs" / "README.md").is_file()
    assert not any(word in bundle.name for word in WORDS_OF_LABEL)


def test_label_finds_a_literal_list_of_handlers_and_an_initialize_without_network(bundle: Path) -> None:
    handlers = content(bundle / "configs" / "train.json")["train"]["handlers"]
    assert isinstance(handlers, list)
    assert all(isinstance(handler, dict) and "_target_" in handler for handler in handlers)
    for path in (bundle / "configs").glob("*.json"):
        assert "@net" not in str(content(path).get("initialize", "")), path


@pytest.mark.parametrize("width", WIDTHS)
def test_network_takes_and_gives_what_the_metadata_says(bundle: Path, width: int) -> None:
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(bundle / "configs" / "metadata.json"),
        config_file=str(bundle / "configs" / "inference.json"),
        device="cpu",
        n=1,
        width=width,
    )


@pytest.mark.parametrize("name", NAMES)
def test_weights_export_to_torchscript(finished_of: Callable[[str], Path], name: str, tmp_path: Path) -> None:
    weights = finished_of(name) / "models" / "model.pt"
    small = {key: value for key, value in case(name).small.items() if key in parser(name, ["inference.json"])}
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(weights),
        meta_file=str(config(name, "metadata.json")),
        config_file=str(config(name, "inference.json")),
        **small,
    )
    network = parser(name, ["inference.json"], small).get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    given = content(config(name, "metadata.json"))["network_data_format"]["inputs"]["image"]
    shape = [2, given["num_channels"], 16, 24, 8][: 2 + len(given["spatial_shape"])]
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exported = torch.jit.load(str(tmp_path / "model.ts"))(image)
        torch.testing.assert_close(exported, network(image))
