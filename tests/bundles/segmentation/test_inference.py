"""Predictions of the liver bundle lie on the voxels of the image they were made for, however it is stored."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from tests.bundles.families.segmentation import EVALUATE, INFERENCE, run, write_nifti
from tests.bundles.segmentation.test_evaluation import network_of, read_table

ORDERS = [np.column_stack(pair) for pair in product(permutations(range(3)), product((1, -1), repeat=3))]
GRIDS: list[dict[str, Any]] = [{"spacing": [8.0, 11.0, 7.0]}, {"image_size": [24, 16, -1]}]


@pytest.fixture(scope="module")
def small_scan(liver_cohort: Path) -> nibabel.Nifti1Image:
    """A part of a phantom around its liver, of a shape that no patch divides, with axes to right, front and top."""
    scan = nibabel.as_closest_canonical(nibabel.load(liver_cohort / "volume-115.nii"))
    label = nibabel.as_closest_canonical(nibabel.load(liver_cohort / "segmentation-115.nii")).get_fdata() > 0
    corner = [int(axis.mean()) - half for axis, half in zip(np.nonzero(label), (10, 8, 7), strict=True)]
    slices = tuple(slice(max(0, first), max(0, first) + size) for first, size in zip(corner, (20, 17, 14), strict=True))
    part = scan.slicer[slices]
    return nibabel.Nifti1Image(part.get_fdata().astype(np.int16), part.affine)


@pytest.fixture(scope="module")
def models(small_scan: nibabel.Nifti1Image, finished_liver: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights whose predictions of the small scan are foreground for about half of the voxels."""
    network = network_of(finished_liver)
    image = (torch.as_tensor(small_scan.get_fdata()).clamp(-1000, 1000).float() + 1000) / 2000
    with torch.no_grad():
        middle = network(image[None, None, :16, :16, 4:12]).median()
        network.get_parameter("head.bias").sub_(middle)
    folder = tmp_path_factory.mktemp("models")
    torch.save(network.state_dict(), folder / "model.pt")
    return folder


def predict(
    scans: dict[str, nibabel.Nifti1Image], models: Path, folder: Path, **more: Any
) -> dict[str, nibabel.Nifti1Image]:
    """Run inference on scans written to a folder; return the prediction of each."""
    for name, scan in scans.items():
        write_nifti(folder / "data" / f"{name}.nii.gz", np.asarray(scan.dataobj), scan.affine)
    run(INFERENCE, folder / "data", folder / "run", ckpt_dir=str(models), **more)
    return {name: nibabel.load(folder / f"run/predictions/{name}/{name}_liver.nii.gz") for name in scans}


def assert_reoriented(scan: nibabel.Nifti1Image, models: Path, folder: Path, **more: Any) -> None:
    """Every order of the axes gives a prediction in that order, of the same voxels."""
    orders = more.pop("orders", ORDERS)
    scans = {f"order_{index}": scan.as_reoriented(order) for index, order in enumerate(orders)}
    found = predict({"plain": scan, **scans}, models, folder, **more)
    plain = found["plain"]
    assert 0.02 < np.asarray(plain.dataobj).mean() < 0.98, "a prediction of one value fits every order"
    for (name, given), order in zip(scans.items(), orders, strict=True):
        assert found[name].shape == given.shape
        np.testing.assert_allclose(found[name].affine, given.affine, atol=1e-4)
        np.testing.assert_array_equal(
            np.asarray(found[name].dataobj), np.asarray(plain.as_reoriented(order).dataobj), err_msg=str(order)
        )


def test_all_48_orders_of_the_axes_give_the_same_voxels(
    small_scan: nibabel.Nifti1Image, models: Path, tmp_path: Path
) -> None:
    assert len({nibabel.orientations.ornt2axcodes(order) for order in ORDERS}) == 48
    assert_reoriented(small_scan, models, tmp_path)


@pytest.mark.parametrize("grid", GRIDS, ids=["spacing", "image_size"])
def test_orders_of_the_axes_give_the_same_voxels_on_another_grid(
    small_scan: nibabel.Nifti1Image, models: Path, tmp_path: Path, grid: dict[str, Any]
) -> None:
    assert_reoriented(small_scan, models, tmp_path, orders=ORDERS[5::9], **grid)


@pytest.mark.parametrize("grid", [{}, *GRIDS], ids=["native", "spacing", "image_size"])
def test_an_oblique_image_gets_its_prediction_on_its_own_grid(
    small_scan: nibabel.Nifti1Image, models: Path, tmp_path: Path, grid: dict[str, Any]
) -> None:
    turn, tilt = np.radians([20, 10])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    affine = small_scan.affine.copy()
    affine[:3, :3] = about_z @ about_x @ affine[:3, :3]
    oblique = nibabel.Nifti1Image(np.asarray(small_scan.dataobj), affine)
    found = predict({"oblique": oblique, "plain": small_scan}, models, tmp_path, **grid)
    assert found["oblique"].shape == oblique.shape
    np.testing.assert_allclose(found["oblique"].affine, affine, atol=1e-4)
    # The nearest axes are the same, so the network sees the same voxels, or those of a grid with another origin.
    differing = np.asarray(found["oblique"].dataobj) != np.asarray(found["plain"].dataobj)
    assert differing.mean() <= (0.05 if "spacing" in grid else 0)


def test_label_maps_of_a_folder_are_those_that_the_evaluation_measures(
    liver_cohort: Path, finished_liver: Path, tmp_path: Path
) -> None:
    models = str(finished_liver / "models")
    for names, output in ((INFERENCE, "inference"), (EVALUATE, "evaluation")):
        run(names, liver_cohort, tmp_path / output, ckpt_dir=models)
    table = read_table(tmp_path / "evaluation/evaluation/cases.csv")
    paths = {path.parent.name: path for path in (tmp_path / "inference/predictions").rglob("*.nii.gz")}
    assert set(paths) == {path.name.removesuffix(".nii") for path in liver_cohort.glob("volume-*.nii")}
    for case in ("volume-115", "volume-116"):
        prediction = nibabel.load(paths[case])
        truth = nibabel.load(liver_cohort / f"{case.replace('volume', 'segmentation')}.nii")
        assert prediction.get_data_dtype() == np.uint8
        np.testing.assert_allclose(prediction.affine, truth.affine, atol=1e-4)
        one, other = np.asarray(prediction.dataobj), truth.get_fdata() > 0
        assert set(np.unique(one)) <= {0, 1}
        dice = 2 * (one * other).sum() / (one.sum() + other.sum())
        assert dice == pytest.approx(table[case]["dice@0.5"], abs=1e-6)
