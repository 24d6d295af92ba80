"""What MONAI, the Model Zoo and MONAI Label expect of a bundle."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ckpt_export, verify_metadata, verify_net_in_out
from monai.transforms import LoadImage

from monai_sg.utils.files import sha256_of, write_json
from tests.bundles import small_liver
from tests.bundles.folders import FOLDERS, NAMES, config, content, parser, workflow
from tests.bundles.small_run import BUNDLE, overrides

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


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("autoencoder.json", "train"),
        ("discover.json", None),
        ("classify.json", "train"),
        ("train.json", "train"),
        ("inference.json", "infer"),
        ("embed.json", None),
    ],
)
def test_config_has_the_properties_of_its_kind(
    finished_run: Path, phantom_cohort: Path, tmp_path: Path, name: str, kind: str | None
) -> None:
    places: dict[str, Any] = {"run_dir": str(tmp_path)}
    made = workflow(BUNDLE, [name], overrides(phantom_cohort, finished_run, **places), kind)
    assert made.check_properties() == []


@pytest.mark.parametrize(("name", "kind"), [("train.json", "train"), ("inference.json", "infer")])
def test_config_of_the_liver_bundle_has_the_properties_of_its_kind(
    finished_liver: Path, liver_cohort: Path, tmp_path: Path, name: str, kind: str
) -> None:
    places: dict[str, Any] = {"run_dir": str(tmp_path)}
    values = small_liver.overrides(liver_cohort, finished_liver, **places)
    assert workflow(small_liver.BUNDLE, [name], values, kind).check_properties() == []


@pytest.mark.parametrize(("name", "run"), [(BUNDLE, "finished_run"), (small_liver.BUNDLE, "finished_liver")])
def test_weights_export_to_torchscript(name: str, run: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    weights = request.getfixturevalue(run) / "models" / "model.pt"
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(weights),
        meta_file=str(config(name, "metadata.json")),
        config_file=str(config(name, "inference.json")),
        width=4,
    )
    network = parser(name, ["inference.json"], {"width": 4}).get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    image = torch.rand(2, 1, 16, 24, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exported = torch.jit.load(str(tmp_path / "model.ts"))(image)
        torch.testing.assert_close(exported, network(image))


@pytest.fixture(scope="module")
def oblique_image(phantom_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write one scan whose axes are permuted and flipped, of a shape that no crop size divides."""
    folder = tmp_path_factory.mktemp("oblique")
    scan = LoadImage(image_only=True)(str(next(phantom_cohort.rglob("*.mhd")))).numpy()
    affine = np.array([[0, 0, 6.0, -5], [-5.5, 0, 0, 40], [0, 5.0, 0, 7], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(scan[:50, :37, :30].astype(np.int16), affine), folder / "scan.nii.gz")
    record = {"image": "scan.nii.gz", "id": "scan", "patient": "scan"}
    write_json(folder / "datalist.json", {"training": [], "validation": [], "test": [record], "skipped": []})
    return folder


@pytest.mark.parametrize("spacing", [None, [8.0, 7.0, 6.0]])
def test_inference_restores_an_image_on_its_own_grid(
    finished_run: Path, oblique_image: Path, tmp_path: Path, spacing: list[float] | None
) -> None:
    places = {"datalist": str(oblique_image / "datalist.json"), "ckpt_dir": str(finished_run / "models")}
    values = {**overrides(oblique_image, tmp_path), **places, "spacing": spacing}
    workflow(BUNDLE, ["inference.json"], values, "infer").run()
    (path,) = tmp_path.rglob("*.nii.gz")
    restored, original = nibabel.load(path), nibabel.load(oblique_image / "scan.nii.gz")
    assert restored.shape == original.shape
    np.testing.assert_allclose(restored.affine, original.affine, atol=1e-4)
    values_in_hu = restored.get_fdata()
    assert -1000 <= values_in_hu.min() < values_in_hu.max() <= 1000
