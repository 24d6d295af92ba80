"""Inference of a pre-training restores whole images."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from monai.transforms import LoadImage

from monai_sg.utils.files import write_json
from tests.bundles.families.semantic_genesis import BUNDLE, overrides
from tests.bundles.folders import workflow


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
