from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_sg.data.readers.formats import UnusableImageError
from monai_sg.data.readers.volumes import read_volume
from tests.cases.outcome import AFFINE, SHAPE, hu, outcome, patch, prepared, write
from tests.data.test_round_trip import write_itk

LABEL = (hu(9) > 400).astype(np.uint8)


def _pairs(folder: Path, label: np.ndarray, label_affine: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    for number in range(5):
        write(folder / f"images/case_{number}.nii.gz", number, affine=affine)
        write(folder / f"labels/case_{number}.nii.gz", values=label, affine=label_affine)
    return folder


def test_headers_of_image_and_label_that_were_rounded_differently_fit(tmp_path: Path) -> None:
    angle = np.deg2rad(18.35)
    oblique = AFFINE.copy()
    oblique[:2, :2] = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ AFFINE[:2, :2]
    rounded = oblique.copy()
    rounded[:3, :3] *= 1 + np.array([[3.4e-5, 1.0e-4, 0], [1.0e-4, 3.4e-5, 0], [0, 0, 0]])
    assert len(prepared(_pairs(tmp_path / "a", LABEL, rounded, oblique), tmp_path / "ca", [1])) == 3
    shifted = AFFINE.copy()
    shifted[0, 3] += 3e-4
    assert len(prepared(_pairs(tmp_path / "b", LABEL, shifted), tmp_path / "cb", [1])) == 3
    shifted[0, 3] += 2.0
    with pytest.raises(ValueError, match=r"labels/case_\d.nii.gz, which has another position .* 2\.00 mm apart"):
        prepared(_pairs(tmp_path / "c", LABEL, shifted), tmp_path / "cc", [1])


def test_a_form_that_contradicts_pixdim_is_named_and_one_of_code_0_is_ignored(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write(data / "good.nii", 0)
    patch(write(data / "two.nii", 1), srow_z=[0, 0, 6, -10])
    patch(write(data / "no_sform.nii", 2), sform_code=0, qform_code=1, srow_x=[1, 0, 0, 0], srow_y=[0, 1, 0, 0])
    patch(write(data / "no_qform.nii", 3), qform_code=0, quatern_b=0.5, quatern_c=0, quatern_d=0)
    patch(write(data / "neither.nii", 4), sform_code=0, qform_code=0)
    found = outcome(data, tmp_path / "cache")
    assert found.used == {"good", "no_qform", "no_sform"}
    for number, name in ((0, "good"), (2, "no_sform"), (3, "no_qform")):
        found.equals(name, number)
    assert "two spacings: its sform says 6 mm along axis 3, its pixdim 4 mm" in found.reasons["two.nii"]
    assert "no orientation: sform_code and qform_code of its header are 0" in found.reasons["neither.nii"]
    assert "accept_unoriented" in found.reasons["neither.nii"]
    used = outcome(data, tmp_path / "cache2", accept_unoriented=True)
    assert "neither" in used.used, "its axes are taken as they are stored"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"pixdim": [0, 2, 3, 4, 1, 1, 1, 1]}, (2.0, 3.0, 4.0)),  # a factor of 0 stands for 1
        ({"pixdim": [1, -2, 3, 4, 1, 1, 1, 1]}, (2.0, 3.0, 4.0)),
        ({"quatern_b": 1, "quatern_c": 1}, "the quaternion of its qform is longer than 1"),
        ({"quatern_b": np.nan}, "no usable orientation"),
        ({"pixdim": [1, 0, 3, 4, 1, 1, 1, 1]}, "no usable orientation"),
        ({"xyzt_units": 5}, r"the unit 5 \(xyzt_units\), which is none"),
        ({"pixdim": [1, 2000, 3, 4, 1, 1, 1, 1]}, "a spacing of 2000 x 3 x 4 mm, but that of scans lies between"),
    ],
)
def test_odd_values_of_a_qform(tmp_path: Path, fields: dict[str, object], expected: object) -> None:
    path = patch(write(tmp_path / "a.nii"), sform_code=0, qform_code=1, **fields)
    if isinstance(expected, str):
        with pytest.raises(UnusableImageError, match=expected):
            read_volume(path)
    else:
        assert read_volume(path).spacing == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("mha", "TransformMatrix = 2 0 0 0 2 0 0 0 2\nElementSpacing = 1 1 1\n"),
        ("nrrd", "space: left-posterior-superior\nspace directions: (2,0,0) (0,2,0) (0,0,2)\nspacings: 1 1 1\n"),
    ],
)
def test_two_spacings_are_named_in_text_headers_too(tmp_path: Path, kind: str, text: str) -> None:
    whole = "DimSize = 16 14 12\nElementType = MET_SHORT\n" if kind == "mha" else "sizes: 16 14 12\ntype: int16\n"
    start = "NDims = 3\n" if kind == "mha" else "NRRD0004\ndimension: 3\nencoding: raw\n"
    end = "ElementDataFile = LOCAL\n" if kind == "mha" else "\n"
    path = tmp_path / f"a.{kind}"
    path.write_bytes(f"{start}{whole}{text}{end}".encode() + hu().tobytes(order="F"))
    with pytest.raises(UnusableImageError, match="has two spacings"):
        read_volume(path)


def test_metres_and_micrometres_are_honoured(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number, (factor, unit) in enumerate(((1000.0, 3), (0.001, 1), (1.0, 2), (1.0, 0))):
        scaled = np.vstack([AFFINE[:3] * factor, AFFINE[3:]])
        patch(write(data / f"a{number}.nii", number, affine=scaled), xyzt_units=unit)
    space = "space: left-posterior-superior\nspace origin: (-3,-2,-1)\n"
    directions = 'space directions: (0.2,0,0) (0,0.3,0) (0,0,0.4)\nspace units: "cm" "cm" "cm"\n'
    head = f"NRRD0004\ndimension: 3\nencoding: raw\nsizes: 16 14 12\ntype: int16\n{space}{directions}\n"
    (data / "a4.nrrd").write_bytes(head.encode() + hu(4).tobytes(order="F"))
    head = (
        "NDims = 3\nDimSize = 16 14 12\nElementType = MET_SHORT\nElementSpacing = 2000 3000 4000\n"
        "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = -30000 -20000 -10000\nDistanceUnits = um\n"
    )
    (data / "a5.mha").write_bytes(f"{head}ElementDataFile = LOCAL\n".encode() + hu(5).tobytes(order="F"))
    found = outcome(data, tmp_path / "cache")
    assert found.used == {f"a{number}" for number in range(6)}
    for number in range(6):
        found.equals(f"a{number}", number)


def test_an_unknown_unit_is_named(tmp_path: Path) -> None:
    head = "NDims = 3\nDimSize = 16 14 12\nElementType = MET_SHORT\nElementSpacing = 2 3 4\nDistanceUnits = inch\n"
    path = tmp_path / "a.mha"
    path.write_bytes(f"{head}ElementDataFile = LOCAL\n".encode() + hu().tobytes(order="F"))
    with pytest.raises(UnusableImageError, match=r"the unit 'inch' \(DistanceUnits\), which is not known"):
        read_volume(path)


@pytest.mark.parametrize("way", ["flipped", "permuted"])
def test_a_label_with_its_axes_in_another_order_is_turned_onto_its_image(tmp_path: Path, way: str) -> None:
    if way == "flipped":
        affine = AFFINE.copy()
        affine[:3, 3] += affine[:3, 0] * (SHAPE[0] - 1)
        affine[:3, 0] *= -1
        label = LABEL[::-1].copy()
    else:
        affine, label = AFFINE[:, [2, 1, 0, 3]], LABEL.transpose(2, 1, 0).copy()
    found = prepared(_pairs(tmp_path / "data", label, affine), tmp_path / "cache", [1])
    assert len(found) == 3
    np.testing.assert_array_equal(found.prepared(0)["label"][0], LABEL)


def test_axes_and_space_of_nrrd_belong_together(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write(data / "reference.nii.gz")
    lps = ("left-posterior-superior", "(2,0,0) (0,3,0) (0,0,4)", "(-30,-20,-10)")
    files = {
        "lps": (hu(), *lps),
        "ras": (hu(), "right-anterior-superior", "(-2,0,0) (0,-3,0) (0,0,4)", "(30,20,-10)"),
        "las": (hu(), "LAS", "(2,0,0) (0,-3,0) (0,0,4)", "(-30,20,-10)"),
        "permuted": (hu().transpose(2, 0, 1), lps[0], "(0,0,4) (2,0,0) (0,3,0)", lps[2]),
        "no_space": (hu(), "", "", ""),
    }
    for name, (values, space, directions, origin) in files.items():
        where = f"space: {space}\nspace directions: {directions}\nspace origin: {origin}\n" if space else ""
        sizes = " ".join(map(str, values.shape))
        head = f"NRRD0005\ntype: int16\ndimension: 3\nsizes: {sizes}\nencoding: raw\nendian: little\n{where}\n"
        (data / f"{name}.nrrd").write_bytes(head.encode() + values.tobytes(order="F"))
    found = outcome(data, tmp_path / "cache")
    assert found.used == {"reference", "lps", "ras", "las", "permuted"}
    for name in found.used:
        found.equals(name, 0)
    assert "has no space in its header, so orientation and origin are not known" in found.reasons["no_space.nrrd"]


def test_an_axis_of_one_in_front_is_named_and_one_behind_is_dropped(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write(data / "behind.nii.gz", values=hu()[..., None])
    write(data / "in_front.nii.gz", values=hu()[None])
    found = outcome(data, tmp_path / "cache")
    assert found.used == {"behind"}
    found.equals("behind", 0)
    assert "has 4 axes (1, 16, 14, 12), the first of length 1" in found.reasons["in_front.nii.gz"]


def test_the_same_place_in_every_format(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write(data / "a.nii.gz")
    write_itk(data / "b.nrrd", hu(), AFFINE)
    write_itk(data / "c.mha", hu(), AFFINE)
    write_itk(data / "d.nii", hu(), AFFINE)
    image = nib.Nifti1Pair(hu(), AFFINE)
    nib.save(image, data / "e.hdr")
    found = outcome(data, tmp_path / "cache")
    assert found.used == set("abcde")
    for name in found.used:
        found.equals(name, 0)
