"""Packing: what travels, what is refused, and what is never overwritten."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from monai_sg.__main__ import main
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.pack import pack, renamed, with_settings
from monai_sg.utils.files import read_json
from monai_sg.weights.export import save_network
from tests.bundles.families.semantic_genesis import BUNDLE
from tests.bundles.folders import FOLDERS, content


def files_below(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Copy a bundle and leave in it what users do: weights, results, images, hidden files."""
    folder = tmp_path / "own"
    shutil.copytree(
        next(one for one in FOLDERS if one.name.startswith("lcs_")),
        folder,
        ignore=shutil.ignore_patterns("models", "eval", "__pycache__"),
    )
    for name in (
        "models/model.pt",
        "models/model.json",
        "models/old.pt",
        "eval/train/method.pt",
        "data/patient.nii.gz",
        "configs/.secret.json",
        "configs/__pycache__/a.pyc",
        ".git/config",
        "notes.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"{}" if name.endswith("model.json") else name.encode())
    return folder


def test_weights_travel_and_images_results_and_hidden_files_do_not(own: Path, tmp_path: Path) -> None:
    summary = pack(str(own), output=str(tmp_path / "out"))
    present = {name for name in files_below(tmp_path / "out" / "own") if not name.startswith("scripts/")}
    untouched = files_below(FOLDERS[0])
    expected = {name for name in untouched if name.split("/")[0] not in {"models", "eval"} and "packed_" not in name}
    assert present == expected | {"models/model.pt", "models/model.json"}
    assert "with weights" in summary
    assert "left out: .git, data, eval, models/old.pt, notes.txt" in summary


def test_configs_get_the_settings_of_the_weights(own: Path, tmp_path: Path) -> None:
    facts = {"preprocessing": {"spacing": [3, 3, 3], "crop_spacing": [1, 1, 1]}}
    save_network(GenesisUNet(3, width=4), own / "models/model.pt", facts)
    pack(str(own), output=str(tmp_path / "dist"))
    for name in ("train.json", "inference.json"):
        before, after = (read_json(folder / "configs" / name) for folder in (own, tmp_path / "dist/own"))
        assert (after["width"], after["spacing"]) == (4, [3, 3, 3])
        assert after["network"]["_target_"] == f"scripts.{before['network']['_target_']}"
        assert list(after) == [name for name in before if name in after]
    assert with_settings('{"a":  1}', {"b": 2}) == '{"a":  1}'


def test_a_window_per_image_stays_ours(own: Path, tmp_path: Path) -> None:
    for window, kept in (([0, 400], False), ("percentile", True)):
        save_network(GenesisUNet(3, width=4), own / "models/model.pt", {"preprocessing": {"intensity_range": window}})
        pack(str(own), output=str(tmp_path / str(kept)))
        packed = read_json(tmp_path / str(kept) / "own/configs/inference.json")
        assert packed["intensity_range"] == window
        assert ("WindowIntensityd" in str(packed["scale_intensity"])) == kept


@pytest.mark.parametrize(
    ("place", "refused"),
    [("docs/a.md", "outside"), ("docs", "outside"), ("models", "outside"), ("docs/b", "inside"), ("docs/c.md", "gone")],
)
def test_links_that_lead_out_or_to_folders_are_refused(own: Path, tmp_path: Path, place: str, refused: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "model.pt").write_text("secret")
    targets = {"inside": own / "configs", "gone": own / "nothing", "outside": tmp_path / "outside"}
    target = targets[refused] / "model.pt" if place.endswith("a.md") else targets[refused]
    if (own / place).is_dir():
        shutil.rmtree(own / place)
    (own / place).symlink_to(target)
    with pytest.raises(ValueError, match=r"is a link to a folder or leads out of the bundle; put a copy"):
        pack(str(own), output=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_link_to_a_file_of_the_bundle_is_packed_as_a_file(own: Path, tmp_path: Path) -> None:
    (own / "docs" / "metadata.json").symlink_to(own / "configs" / "metadata.json")
    pack(str(own), output=str(tmp_path / "out"))
    copy = tmp_path / "out" / "own" / "docs" / "metadata.json"
    assert not copy.is_symlink()
    assert copy.read_bytes() == (own / "configs" / "metadata.json").read_bytes()


@pytest.mark.parametrize("output", ["own/configs", "own", "own/new/place", "."])
def test_output_does_not_mix_with_the_bundle(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    before = files_below(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"would mix with the bundle.*take another --output"):
        pack("./own", output=output)
    assert files_below(tmp_path) == before


def test_names_that_lead_out_of_the_zip_are_refused(own: Path, tmp_path: Path) -> None:
    (own / "docs" / r"x\..\..\..\..\evil.md").write_text("")
    with pytest.raises(ValueError, match=r"evil\.md' would be unpacked into another folder; rename it"):
        pack(str(own), output=str(tmp_path / "out"))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("version", ["../0.1.0", "/0.1.0", "", None, ".1"])
def test_a_version_that_is_no_part_of_a_file_name_is_refused(own: Path, tmp_path: Path, version: str | None) -> None:
    metadata = content(own / "configs" / "metadata.json") | {"version": version}
    (own / "configs" / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match=rf"has the version {re.escape(repr(version))}"):
        pack(str(own), output=str(tmp_path / "out"))


def test_what_is_no_bundle_or_packed_already_is_refused(own: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no bundle 'unknown'; there are"):
        pack("unknown", output=str(tmp_path))
    with pytest.raises(FileNotFoundError, match="is no bundle"):
        pack(f"{tmp_path}/", output=str(tmp_path / "out"))
    pack(str(own), output=str(tmp_path / "packed"))
    with pytest.raises(ValueError, match="pack the bundle that it was made from"):
        pack(str(tmp_path / "packed" / "own"), output=str(tmp_path / "out"))


def test_a_packed_bundle_is_replaced_with_all_that_it_held(own: Path, tmp_path: Path) -> None:
    for turn in ("first", "second"):
        (own / "models" / "model.pt").write_text(turn)
        (own / "docs" / f"{turn}.md").write_text(turn)
        pack(str(own), output=str(tmp_path / "out"))
        (own / "docs" / f"{turn}.md").unlink()
    target = tmp_path / "out" / "own"
    assert (target / "models" / "model.pt").read_text() == "second"
    assert [path.name for path in target.glob("docs/*.md")] == ["README.md", "second.md"]
    assert sorted(path.name for path in target.parent.iterdir()) == ["own", "own_v0.1.0.zip", "own_v0.1.0.zip.sha256"]


@pytest.mark.parametrize("name", ["eval/train/method.pt", "models/model.pt", "models/new.pt", "data/patient.nii.gz"])
def test_what_was_trained_or_put_into_a_packed_bundle_is_not_lost(own: Path, tmp_path: Path, name: str) -> None:
    pack(str(own), output=str(tmp_path / "out"))
    path = tmp_path / "out" / "own" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    before = files_below(tmp_path / "out")
    with pytest.raises(ValueError, match=rf"{path.name} was not written by packing and would be lost"):
        pack(str(own), output=str(tmp_path / "out"))
    assert files_below(tmp_path / "out") == before


def test_a_folder_that_is_no_packed_bundle_stays(own: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "own" / "configs").mkdir(parents=True)
    shutil.copy(own / "configs" / "metadata.json", tmp_path / "out" / "own" / "configs")
    before = files_below(tmp_path / "out")
    with pytest.raises(ValueError, match="is no packed bundle, so it is not replaced"):
        pack(str(own), output=str(tmp_path / "out"))
    assert files_below(tmp_path / "out") == before


def test_a_packed_bundle_stays_if_the_new_one_cannot_take_its_place(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(str(own), output=str(tmp_path / "out"))
    before, rename = files_below(tmp_path / "out" / "own"), Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.parent.name.startswith(".own.") and path.name == "own":
            raise OSError("no space")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    (own / "docs" / "more.md").write_text("more")
    with pytest.raises(OSError, match="no space"):
        pack(str(own), output=str(tmp_path / "out"))
    assert files_below(tmp_path / "out" / "own") == before


@pytest.mark.parametrize(
    ("text", "new"),
    [
        (
            '{"_target_": "monai_sg.data.splits.open_cache"}',
            '{"_target_": "scripts.monai_sg.data.splits.open_cache"}',
        ),
        ("run --workflow_name monai_sg.engines.x.Y.", "run --workflow_name scripts.monai_sg.engines.x.Y."),
        ('["$import monai_sg.data.splits"]', '["$import scripts.monai_sg.data.splits"]'),
        ("qualname=monai_sg\n", "qualname=scripts.monai_sg\n"),
        ("qualname=monai_sg.engines\n", "qualname=scripts.monai_sg.engines\n"),
        ("keys=root,monai_sg\n[logger_monai_sg]", None),
        ("python -m monai_sg pretrain --data DIR", None),
        ("see monai_sg. Then", None),
        ('"scripts.monai_sg.data.splits"', None),
        ('"my_monai_sg.data.cache", "dist/monai_sg.zip"', None),
    ],
)
def test_names_of_modules_get_the_prefix_and_other_words_do_not(text: str, new: str | None) -> None:
    assert renamed(text, Path("docs/README.md")) == (text if new is None else new)


@pytest.mark.parametrize("expression", ["$import monai_sg", "$from monai_sg import data", '$\\"\\" or monai_sg'])
def test_an_expression_with_the_package_alone_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"configs/train\.json has the expression.*as a `_target_` instead"):
        renamed(f'{{"imports": ["{expression}"]}}', Path("configs/train.json"))


@pytest.mark.parametrize("name", ["monai_sg", "monai-sg", "Monai_SG"])
def test_a_packed_bundle_does_not_require_the_package(name: str) -> None:
    metadata: dict[str, Any] = {"version": "1", "required_packages_version": {"itk": "5.4.7", name: "0.1.0"}}
    new = renamed(json.dumps(metadata), Path("configs/metadata.json"))
    assert json.loads(new) == {"version": "1", "required_packages_version": {"itk": "5.4.7"}}


def test_command_says_what_it_wrote(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["monai_sg", "bundles", "pack", BUNDLE, "--output", str(tmp_path)])
    main()
    printed = capsys.readouterr().out
    (archive,) = tmp_path.glob("*.zip")
    assert f"{archive.stat().st_size} bytes, sha256 {hashlib.sha256(archive.read_bytes()).hexdigest()}" in printed
    assert f"cd {tmp_path / BUNDLE} && python -m monai.bundle run" in printed
    assert f"export PYTHONPATH={tmp_path / BUNDLE}" in printed
