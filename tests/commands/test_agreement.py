from __future__ import annotations

import csv
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from monai_sg.commands.agreement import agreement
from monai_sg.networks.non_skip_unet import NonSkipUNet
from monai_sg.studies.agreement.varied_phantoms import write_varied_phantoms
from monai_sg.weights.export import save_network

PREPROCESSING = {"intensity_range": [-1000, 1000], "spacing": None, "overview_size": [16, 16, 16]}
SHAPES = ((50, 40, 40), (56, 44, 44), (64, 50, 50))
SMALL: dict[str, Any] = {"crop_size": [12, 12, 6], "places": 8, "references": 2, "draws": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("agreement")
    write_varied_phantoms(folder / "phantom", patients=4, shapes=SHAPES)
    (folder / "phantom" / "labels" / "1.2.826.0.1.3680043.10.9999.0.3.nii.gz").unlink()
    weights = save_network(NonSkipUNet(3, width=2), folder / "model.pt", {"preprocessing": PREPROCESSING})
    labels = {"labels": str(folder / "phantom" / "labels"), "organs": [4, 5, 6], "lungs": [4, 5]}
    text = agreement(
        data=str(folder / "phantom"), output=str(folder / "out"), autoencoder=str(weights), **labels, **SMALL
    )
    return folder / "out", text


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_frames_that_follow_the_anatomy_agree_better(run: tuple[Path, str]) -> None:
    rows = table(run[0] / "agreement.csv")
    assert list(dict.fromkeys(row["frame"] for row in rows)) == ["voxel", "fov", "body", "lung"]
    measures = ["correlation", "place found", "organ overlap", "organ shares"]
    assert list(dict.fromkeys(row["measure"] for row in rows)) == measures
    for measure in measures:
        values = {
            frame: mean(
                float(row["value"])
                for row in rows
                if (row["frame"], row["measure"], row["images"]) == (frame, measure, "all")
            )
            for frame in ("voxel", "lung")
        }
        assert values["lung"] > values["voxel"] + 0.05


def test_similar_images_are_those_of_the_network_beside_baselines(run: tuple[Path, str]) -> None:
    rows = table(run[0] / "agreement.csv")
    kinds = ["all", "random", "small pixels", "auto-encoder", "untrained"]
    assert list(dict.fromkeys(row["images"] for row in rows)) == kinds
    assert len(rows) == 2 * 4 * 4 * len(kinds)
    assert all(f"lung    {kind}" in run[1] for kind in kinds[1:])


def test_lung_boxes_are_compared_where_lungs_are_labelled(run: tuple[Path, str]) -> None:
    rows = table(run[0] / "lungs.csv")
    assert len({row["id"] for row in rows}) == 3
    assert all(0.5 < float(row["iou"]) <= 1 and float(row["mean_mm"]) <= float(row["largest_mm"]) for row in rows)
    largest = max(float(row["largest_mm"]) for row in rows)
    (line,) = [line for line in run[1].splitlines() if line.startswith("all  ")]
    assert line.split()[2] == f"{largest:.1f}"
    shares = {(row["draw"], row["frame"], row["organ"]): float(row["share"]) for row in table(run[0] / "organs.csv")}
    assert shares["0", "lung", "4"] + shares["0", "lung", "5"] > 0.2
    assert (run[0] / "agreement.png").is_file()


def test_one_image_without_labels_has_nothing_to_compare(run: tuple[Path, str], tmp_path: Path) -> None:
    image = next((run[0].parent / "phantom" / "images").iterdir())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / image.name).symlink_to(image)
    text = agreement(data=str(tmp_path / "data"), output=str(tmp_path / "out"), frames="body", **SMALL)
    assert text.strip() == "8 places in 1 of 1 images, 2 draws"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"frame": "lung"}, "no setting 'frame'; take some of frames, places"),
        ({"frames": "lungs"}, "frames holds 'lungs'; give some of voxel, fov, body, lung"),
        ({"draws": 0}, "draws = 0 must be at least 1"),
        ({"labels": "images"}, "None of 0 label maps"),
        ({"labels": "absent"}, "is not a folder"),
    ],
)
def test_a_bad_setting_ends_with_a_sentence(
    run: tuple[Path, str], tmp_path: Path, given: dict[str, Any], sentence: str
) -> None:
    (tmp_path / "images").mkdir()
    if "labels" in given:
        given = {"labels": str(tmp_path / given["labels"])}
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        agreement(data=str(run[0].parent / "phantom"), output=str(run[0]), **given)
