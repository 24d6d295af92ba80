from __future__ import annotations

import gzip
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from monai_sg.data.datasets.any_folder import scan_folder
from monai_sg.data.datasets.labelled_folder import LabelledFolder
from monai_sg.data.images import file_name
from tests.cases.outcome import hu, outcome, write

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1234567\n"


def _plain(folder: Path, number: int) -> bytes:
    path = write(folder / "x.nii", number)
    content = path.read_bytes()
    path.unlink()
    return content


def test_names_that_lie_about_their_content(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    plain = [_plain(tmp_path, number) for number in range(7)]
    files = {
        "ct_01.nii.gz": gzip.compress(plain[1]),
        "ct_02.nii": gzip.compress(plain[2]),
        "ct_03.nii.gz": plain[3],
        "CT_04.NII.GZ": gzip.compress(plain[4]),
        "ct_05.Nii": plain[5],
        "ct_06.nii.gz": gzip.compress(gzip.compress(plain[6])),
        "ct_07.nii.gz": b"\0" * 1000,
        "ct_08.nii.gz": POINTER,
        "ct_09.nii.gz": b"<!DOCTYPE html><html>Quota exceeded</html>\n",
        "ct_10.nii.gz": b"PK\x03\x04" + plain[0],
        "ct_11.nrrd": plain[0],
        "ct_12.dat": plain[0],
        "ct_13.nii.gz": gzip.compress(plain[0])[:-200],
        "ct_14.nii.gz": b"",
    }
    for name, content in files.items():
        (data / name).write_bytes(content)
    found = outcome(data, tmp_path / "cache")
    assert found.used == {"ct_01", "ct_02", "ct_03", "CT_04", "ct_05"}
    for number, name in enumerate(("ct_01", "ct_02", "ct_03", "CT_04", "ct_05"), start=1):
        found.equals(name, number)
    expected = {
        "ct_06.nii.gz": "is packed by gzip twice; unpack it once",
        "ct_07.nii.gz": "holds only zeros where its header should be",
        "ct_08.nii.gz": "is a pointer of Git LFS, not the image itself; fetch it with 'git lfs pull'",
        "ct_09.nii.gz": "is a web page or XML, not an image",
        "ct_10.nii.gz": "is a ZIP archive by its content; unpack it first",
        "ct_11.nrrd": "is a NIfTI file by its content, not an NRRD file; call it .nii",
        "ct_12.dat": "is a NIfTI file by its content; call it .nii",
        "ct_13.nii.gz": "is cut short or damaged",
        "ct_14.nii.gz": "is empty",
    }
    assert set(found.reasons) == set(expected)
    for name, reason in expected.items():
        assert reason in found.reasons[name], name


HEADER = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
    "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = -30 -20 -10\nElementSpacing = 2 3 4\nDimSize = 16 14 12\n"
    "ElementType = MET_SHORT\nElementDataFile = {}\n"
)


def test_header_and_voxels_in_two_files(tmp_path: Path) -> None:
    data, uid = tmp_path / "data", "1.3.6.1.4.1.90210"
    data.mkdir()
    for number, name in ((1, f"{uid}.1.raw"), (2, f"{uid}.2.raw"), (3, f"{uid}.3.raw"), (5, "voxels of five.bin")):
        (data / f"{uid}.{number}.mhd").write_text(HEADER.format(name))
        (data / name).write_bytes(hu(number).tobytes(order="F"))
    (data / f"{uid}.2.raw").unlink()
    raw = data / f"{uid}.3.raw"
    raw.write_bytes(raw.read_bytes()[:-1000])
    found = outcome(data, tmp_path / "cache")
    assert found.used == {f"{uid}.1", f"{uid}.5"}
    found.equals(f"{uid}.1", 1)
    found.equals(f"{uid}.5", 5)
    assert f"lacks its voxels: {uid}.2.raw" in found.reasons[f"{uid}.2.mhd"]
    assert f"is cut short: {uid}.3.raw holds 4376 of 5376 bytes" in found.reasons[f"{uid}.3.mhd"]
    with open(data / "voxels of five.bin", "r+b") as file:
        file.write(np.int16(1000).tobytes())
    os.utime(data / "voxels of five.bin", ns=(1, 1))
    changed = outcome(data, tmp_path / "cache")
    assert changed.values(f"{uid}.5")[-1, -1, 0] == 1000, "the first voxel that is stored, in RAS"


@pytest.mark.parametrize("size", ["-1", "400"])
def test_voxels_begin_where_the_header_says(tmp_path: Path, size: str) -> None:
    head = HEADER.format("LOCAL").replace("ElementDataFile", f"HeaderSize = {size}\nElementDataFile").encode()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.mha").write_bytes(head.ljust(400, b"\0") + hu(1).tobytes(order="F"))
    outcome(tmp_path / "data", tmp_path / "cache").equals("a", 1)


NAMES = ["Aufnahme groß (1)", "résumé thorax", "胸部CT 第2回", "грудь №3", "-minus 1", "100% & co's = 5", "ct.v2.final"]


def test_difficult_names_are_found_in_every_form_of_umlauts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number, name in enumerate(NAMES):
        composed = unicodedata.normalize("NFD" if number == 1 else "NFC", name)
        write(data / "Studie München 2019" / f"{composed}.nii.gz", number)
    write(data / "tiefer Ordner mit langem Namen " / ("a" * 150) / "scan.nii.gz", 8)
    found = outcome(data, tmp_path / "cache")
    assert len(found.used) == len(NAMES) + 1
    names = [file_name(name) for name in found.used]
    assert len({name.casefold() for name in names}) == len(names), "predictions have names of their own"
    assert all(len(name.encode()) < 255 for name in names)
    pattern = unicodedata.normalize("NFD", "(résumé|groß)")
    patients = outcome(data, tmp_path / "cache", patient_pattern=pattern).patients
    assert sum(unicodedata.normalize("NFC", name) == "résumé" for name in patients.values()) == 1


def test_image_and_label_pair_whatever_the_form_of_their_umlauts(tmp_path: Path) -> None:
    for number in range(6):
        name = f"Übung_{number:02d}.nii.gz"
        write(tmp_path / "images" / unicodedata.normalize("NFC", name), number)
        write(tmp_path / "labels" / unicodedata.normalize("NFD", name), values=np.ones((16, 14, 12), np.uint8))
    found = LabelledFolder(progress=False).read(tmp_path)
    assert [len(found.training), len(found.validation), len(found.test)] == [4, 1, 1]


def test_every_file_is_counted_or_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write(data / "a.nii.gz")
    (data / "b.nii.gz").symlink_to(data / "a.nii.gz")
    (data / "c.nii.gz").write_bytes((data / "a.nii.gz").read_bytes())
    (data / "gone.nii.gz").symlink_to(tmp_path / "nowhere.nii.gz")
    (data / "._a.nii.gz").write_bytes(b"\0\5\x16\7")
    for number in range(3):
        (data / f"notes{number}.xyz").write_text("a")
    write(data / "run/cache/arrays/x.nii.gz", 5)
    (data / "run/run.json").write_text("{}")
    found = scan_folder(data, progress=False)
    assert [record["id"] for record in found.records] == ["a"]
    reasons = {item["path"]: item["reason"] for item in found.skipped}
    assert reasons["b.nii.gz"] == "is the same file as a.nii.gz (a link)"
    assert "is a copy of a.nii.gz" in reasons["c.nii.gz"]
    assert "which is not there" in reasons["gone.nii.gz"]
    assert "is hidden" in reasons["._a.nii.gz"]
    assert reasons["notes0.xyz"] == "is one of 3 files of kind .xyz, which are not read"
    assert "holds the results of a run" in reasons["run"]


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.nii.gz")
    write(tmp_path / "b.nii.gz", 1).chmod(0)
    found = scan_folder(tmp_path, progress=False)
    assert "cannot be read" in found.skipped[0]["reason"]
