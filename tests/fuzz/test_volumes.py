from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import itk
import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.conftest import ct_like
from tests.fuzz.changes import spoilt
from tests.fuzz.outcome import Folder, read

HU = ct_like()
AFFINE = np.array([[0, -2.0, 0, 10], [3.0, 0, 0, -20], [0, 0, 4.0, 30], [0, 0, 0, 1]])
NUMBERS = (0.0, 1.0, -1.0, 2.0, 3.0, 0.001, 1000.0, -2.0, 1e-30, 1e30, float("nan"), float("inf"), float("-inf"))
number = st.sampled_from(NUMBERS) | st.floats(width=32)
whole = st.sampled_from((0, 1, 2, 3, 8, 10, 12, -1, 32767)) | st.integers(-32768, 32767)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "dim": st.tuples(*[whole] * 8) | st.permutations([12, 10, 9]).map(lambda order: (3, *order, 1, 1, 1, 1)),
    "datatype": st.sampled_from((0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 2304, 999)),
    "bitpix": whole,
    "pixdim": st.tuples(*[number] * 8),
    "vox_offset": number | st.just(352.0),
    "scl_slope": number,
    "scl_inter": number,
    "xyzt_units": st.integers(0, 255),
    "qform_code": whole,
    "sform_code": whole,
    "quatern_b": number,
    "quatern_c": number,
    "quatern_d": number,
    "srow_x": st.tuples(*[number] * 4),
    "srow_y": st.tuples(*[number] * 4),
    "srow_z": st.tuples(*[number] * 4),
    "intent_code": whole,
    "sizeof_hdr": st.sampled_from((348, 540, 0, 1)),
}


def nifti(values: np.ndarray = HU, fields: dict[str, Any] | None = None, big: bool = False) -> bytes:
    image = nib.Nifti1Image(values, AFFINE)
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    header = nib.Nifti1Header.from_fileobj(io.BytesIO(content), check=False)
    for name, value in (fields or {}).items():
        header[name] = value
    voxels = content[352:]
    if big:
        header = header.as_byteswapped(">")
        voxels = values.astype(values.dtype.newbyteorder(">")).tobytes(order="F")
    return header.binaryblock + content[348:352] + voxels


def compare_with_nibabel(path: Path, stored: Any) -> None:
    """What is accepted is what nibabel says of shape, place and values, in mm."""
    try:
        image = nib.load(path)
    except Exception:  # nibabel is stricter in some respects, such as pixdim[0] = 0
        return
    header = image.header
    if header["vox_offset"] < 352 or max(int(header["sform_code"]), int(header["qform_code"])) <= 0:
        return
    kept = [length for length in header.get_data_shape()[:3] if length > 1]
    factor = {0: 1, 1: 1000, 2: 1, 3: 0.001}[int(header["xyzt_units"]) & 7]
    code = int(header["sform_code"])
    affine = header.get_sform() if code > 0 else header.get_qform()
    if len(kept) == 3 and stored.sheared is None:
        assert stored.values.shape == tuple(kept)
        np.testing.assert_allclose(stored.affine[:3], affine[:3] * factor, rtol=1e-4, atol=1e-4)
        values = np.asarray(image.dataobj, dtype=float).reshape(kept)
        finite = np.isfinite(values) & (np.abs(values) < 1e30)
        largest = np.abs(values[finite]).max(initial=0)
        np.testing.assert_allclose(stored.values[finite], values[finite], rtol=1e-5, atol=1e-6 * largest)


@given(st.data())
def test_fields_of_nifti(folder: Folder, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=3, unique=True))
    fields = {name: data.draw(FIELDS[name], label=name) for name in names}
    path = folder() / "a.nii"
    path.write_bytes(nifti(fields=fields, big=data.draw(st.booleans())))
    if found := read(path):
        compare_with_nibabel(path, found[0])


@given(st.data())
def test_bytes_of_nifti(folder: Folder, data: st.DataObject) -> None:
    packed = data.draw(st.booleans())
    whole = nifti()
    content = data.draw(spoilt(gzip.compress(whole), 40) if packed else spoilt(whole, 352))
    path = folder() / ("a.nii.gz" if packed else "a.nii")
    path.write_bytes(content)
    if (found := read(path)) and not packed:
        compare_with_nibabel(path, found[0])


META = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "0 1 0 -1 0 0 0 0 1",
    "Offset": "-10 20 30",
    "ElementSpacing": "2 3 4",
    "DimSize": "12 10 9",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "LOCAL",
}
NRRD = {
    "type": "int16",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "12 10 9",
    "space directions": "(0,2,0) (-3,0,0) (0,0,4)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(-10,20,30)",
}
WORDS = [
    "", "0", "1", "-1", "3", "nan", "inf", "True", "False", "none", "LOCAL", "LIST", "a%d.raw 1 3 1", "big", "gzip",
    "ascii", "hex", "bzip2", "MET_UCHAR", "MET_DOUBLE", "MET_CHAR", "uchar", "float", "RAS", "scanner-xyz", "um", "mm",
    "1 2 3", "2 2 2", "12 10 9 1", "12 10 9 2", "9 10 12", "0.5 0.5 0.5", "2000 3000 4000", "1 0 0 0 1 0 0 0 1",
    "0 0 0 0 0 0 0 0 0", "2 0 0 0 2 0 0 0 2", "(1,0,0) (0,1,0) (0,0,1)", "(nan,0,0) (0,1,0) (0,0,1)", "(1,0,0)",
    "none (1,0,0) (0,1,0) (0,0,1)", '"um" "um" "um"', "99999999999999999999", "1e400",
    "-5 5 5", "../a", "a.mha", "\u00df",
]  # fmt: skip
value = st.sampled_from(WORDS) | st.text("0123456789.-+e ()%,/\0\u00df", max_size=12)
MORE = {
    "mha": ["DistanceUnits", "ElementSize", "ElementNumberOfChannels", "HeaderSize", "CompressedDataSize", "Rotation",
            "ElementToIntensityFunctionOffset", "AnatomicalOrientation"],
    "nrrd": ["spacings", "space units", "units", "space dimension", "line skip", "byte skip", "data file", "axis mins"],
}  # fmt: skip


def text_header(form: str, fields: dict[str, str]) -> bytes:
    sign = " = " if form == "mha" else ": "
    lines = "".join(f"{name}{sign}{value}\n" for name, value in fields.items())
    return (lines if form == "mha" else f"NRRD0004\n{lines}\n").encode()


def compare_with_itk(path: Path, stored: Any) -> None:
    """What is accepted is what ITK says of shape, spacing, direction, origin and values."""
    try:
        image = itk.imread(str(path))
    except RuntimeError:
        return
    shape = tuple(int(length) for length in itk.size(image))
    if len(shape) != 3 or stored.num_axes != 3 or stored.sheared is not None or stored.unoriented:
        return
    assert stored.values.shape == shape
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ stored.affine
    if abs(np.linalg.norm(lps[:3, :3], axis=0) - np.array(itk.spacing(image))).max() < 1e-3:  # ITK knows no units
        direction = itk.array_from_matrix(image.GetDirection())
        np.testing.assert_allclose(lps[:3, :3] / itk.spacing(image), direction, atol=1e-3)
        np.testing.assert_allclose(lps[:3, 3], itk.origin(image), atol=1e-2)
    np.testing.assert_allclose(stored.values, itk.array_from_image(image).T, rtol=1e-5)


@pytest.mark.parametrize("form", ["mha", "nrrd"])
@given(data=st.data())
def test_fields_of_text_headers(folder: Folder, form: str, data: st.DataObject) -> None:
    fields = dict(META if form == "mha" else NRRD)
    for name in data.draw(st.lists(st.sampled_from([*fields, *MORE[form]]), max_size=3, unique=True)):
        fields.pop(name, None)
        if data.draw(st.integers(0, 5)):
            last = {key: fields.pop(key) for key in ["ElementDataFile"] if key in fields}
            fields |= {name: data.draw(value, label=name), **last}
    path = folder() / f"a.{form}"
    path.write_bytes(text_header(form, fields) + HU.tobytes(order="F"))
    if found := read(path):
        compare_with_itk(path, found[0])


@pytest.mark.parametrize("form", ["mha", "nrrd"])
@given(data=st.data())
def test_bytes_of_text_headers(folder: Folder, form: str, data: st.DataObject) -> None:
    header = text_header(form, META if form == "mha" else NRRD)
    path = folder() / f"a.{form}"
    path.write_bytes(data.draw(spoilt(header + HU.tobytes(order="F"), len(header))))
    if found := read(path):
        compare_with_itk(path, found[0])


@given(st.data())
def test_arrays(folder: Folder, data: st.DataObject) -> None:
    kept = io.BytesIO()
    np.save(kept, HU)
    path = folder() / "a.npy"
    path.write_bytes(data.draw(spoilt(kept.getvalue(), 128)))
    read(path)
    path.with_name("spacing.txt").write_text(data.draw(value))
    read(path)
