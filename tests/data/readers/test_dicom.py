from __future__ import annotations

import locale
from collections.abc import Callable, Iterator
from pathlib import Path

import itk
import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.datasets.any_folder import scan_folder
from monai_sg.data.readers.dicom import as_shown
from monai_sg.data.readers.series import slices_of_series
from monai_sg.data.readers.volumes import read_volume
from monai_sg.utils.errors import UserError
from tests.data.conftest import WriteSeries, ct_like

Change = Callable[[pydicom.FileDataset, int], None]


def _change(folder: Path, change: Change) -> None:
    """Edit each file of a folder, in the order of the slices."""
    headers = [(pydicom.dcmread(path), path) for path in folder.iterdir()]
    for index, (header, path) in enumerate(sorted(headers, key=lambda item: item[0].ImagePositionPatient[2])):
        change(header, index)
        header.save_as(path)


def _deflated(header: pydicom.FileDataset, _: int) -> None:
    header.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


def _big_endian(header: pydicom.FileDataset, _: int) -> None:
    header.PixelData = header.pixel_array.astype(">u2").tobytes()
    header.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    header.set_original_encoding(False, False)


def _with_slope(header: pydicom.FileDataset, index: int) -> None:
    header.Modality, header.RescaleSlope, header.RescaleIntercept = "PT", 0.5 * (index + 1), 0


@pytest.mark.parametrize("change", [_deflated, _big_endian, lambda header, _: header.compress(RLELossless)])
def test_transfer_syntaxes_give_the_same_values(tmp_path: Path, write_series: WriteSeries, change: Change) -> None:
    series = write_series(tmp_path, ct_like())
    _change(tmp_path, change)
    np.testing.assert_array_equal(read_volume(tmp_path, series).array, ct_like())


@pytest.fixture
def own_locale() -> Iterator[None]:
    """Restore the locale, which GDCM changes when it writes."""
    before = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.mark.parametrize("kind", [0, 1])  # JPEG lossless and JPEG 2000, of GDCM
def test_compressed_slices_give_the_same_values(
    tmp_path: Path, write_series: WriteSeries, kind: int, own_locale: None
) -> None:
    series = write_series(tmp_path, ct_like((24, 20, 9)))
    plane = itk.Image[itk.SS, 2]
    for path in tmp_path.iterdir():
        reader = itk.ImageFileReader[plane].New(FileName=str(path), ImageIO=itk.GDCMImageIO.New())
        reader.Update()
        target = itk.GDCMImageIO.New()
        target.SetMetaDataDictionary(reader.GetImageIO().GetMetaDataDictionary())
        target.SetCompressionType(kind)
        target.KeepOriginalUIDOn()
        writer = itk.ImageFileWriter[plane].New(Input=reader.GetOutput(), FileName=str(path), UseCompression=True)
        writer.SetImageIO(target)
        writer.UseInputMetaDataDictionaryOff()
        writer.Update()
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(read_volume(tmp_path, series).array, ct_like((24, 20, 9)))


def test_slope_of_each_slice_counts(tmp_path: Path, write_series: WriteSeries) -> None:
    series = write_series(tmp_path, ct_like())
    _change(tmp_path, _with_slope)
    volume = read_volume(tmp_path, series)
    expected = (ct_like() + 1024.0) * 0.5 * np.arange(1, 10)
    np.testing.assert_allclose(volume.array * volume.scale + volume.offset, expected, atol=volume.scale)


def _film(**tags: object) -> pydicom.Dataset:
    header = pydicom.Dataset()
    header.BitsStored, header.PixelRepresentation, header.PhotometricInterpretation = 12, 0, "MONOCHROME2"
    for name, value in tags.items():
        setattr(header, name, value)
    return header


def _table(bits: int) -> pydicom.Dataset:
    table = pydicom.Dataset()
    table.LUTDescriptor, table.LUTData = [3, 1000, bits], [10, 20, 200]
    table["LUTData"].VR = "US"
    return table


@pytest.mark.parametrize(
    ("tags", "pixels", "shown"),
    [
        ({}, [0, 7, 4095], [0, 7, 4095]),
        ({"WindowCenter": 2001, "WindowWidth": 2001}, [0, 1000.5, 1500.5, 4095], [0, 0, 1023.75, 4095]),
        ({"WindowCenter": [2001, 9], "WindowWidth": [2001, 9]}, [1500.5, 4095], [1023.75, 4095]),
        ({"WindowCenter": 2001, "WindowWidth": 0}, [3, 7], [3, 7]),  # no width
        ({"WindowCenter": 2001, "WindowWidth": 100}, [3, 7], [3, 7]),  # shows nothing
        ({"VOILUTSequence": [_table(8)]}, [0, 1000, 1001, 1002, 4095], [10, 10, 20, 200, 200]),
        ({"VOILUTSequence": [_table(8)], "PhotometricInterpretation": "MONOCHROME1"}, [3095, 0], [245, 55]),
        ({"VOILUTSequence": [_table(10)], "PhotometricInterpretation": "MONOCHROME1"}, [3095, 0], [1013, 823]),
        ({"VOILUTSequence": [_table(9)]}, [0, 4095], [0, 4095]),  # a depth that DICOM has not
    ],
)
def test_films_as_their_header_shows_them(tags: dict[str, object], pixels: list[float], shown: list[float]) -> None:
    np.testing.assert_allclose(as_shown(np.array(pixels, dtype=np.float32), _film(**tags)), shown)


def test_patients_in_one_folder(tmp_path: Path, write_series: WriteSeries) -> None:
    uids = {name: write_series(tmp_path / "all", ct_like(seed=seed), patient=name) for seed, name in enumerate("AB")}
    records = scan_folder(tmp_path, progress=False).records
    assert {record["patient"]: record["series"] for record in records} == uids
    assert len({record["id"] for record in records}) == 2
    for seed, name in enumerate("AB"):
        np.testing.assert_array_equal(read_volume(tmp_path / "all", uids[name]).array, ct_like(seed=seed))


def _anonymous(header: pydicom.FileDataset, index: int) -> None:
    header.SeriesInstanceUID = "1.2"
    header.PatientID = "A" if index < 5 else "B"


def _other_zoom(header: pydicom.FileDataset, index: int) -> None:
    header.PixelSpacing = [3, 2] if index < 5 else [3, 2.1]


def _moved(header: pydicom.FileDataset, index: int) -> None:
    header.ImagePositionPatient = [0 if index < 5 else 12, 0, 4.0 * index]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_anonymous, "mixes slices of 2 patients, 'A' and 'B'"),
        (_other_zoom, "has slices of different pixel spacing, (2."),
        (_moved, "has slices shifted in their plane by up to 5.3 mm"),
    ],
)
def test_slices_that_do_not_belong_together(
    tmp_path: Path, write_series: WriteSeries, change: Change, reason: str
) -> None:
    write_series(tmp_path / "exam", ct_like((12, 10, 10)))
    _change(tmp_path / "exam", change)
    with pytest.raises(ValueError, match="None of the 10 files") as error:
        scan_folder(tmp_path, progress=False)
    assert reason in str(error.value)


def test_headers_are_read_once(tmp_path: Path, write_series: WriteSeries, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("A", "B"):
        write_series(tmp_path / "data", ct_like(), patient=name)
    reads = []
    original = pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", lambda path, **settings: reads.append(path) or original(path, **settings))
    datalist = scan_folder(tmp_path / "data", progress=False)
    assert len(open_cache(datalist, tmp_path / "data", tmp_path / "cache", progress=False)) == 2
    assert len(reads) == 18
    path = sorted((tmp_path / "data").iterdir())[0]
    path.write_bytes(path.read_bytes() + b"\0")
    scan_folder(tmp_path / "data", progress=False)
    assert len(reads) == 19


def test_headers_that_are_remembered_share_what_is_the_same(tmp_path: Path, write_series: WriteSeries) -> None:
    series = write_series(tmp_path, ct_like())
    first, *others = slices_of_series(tmp_path, series)
    for name in ("series", "patient", "modality", "spacing", "orientation", "syntax"):
        assert all(getattr(item, name) is getattr(first, name) for item in others), name


def test_damaged_slice_is_named(tmp_path: Path, write_series: WriteSeries) -> None:
    write_series(tmp_path, ct_like((12, 10, 12)))
    path = sorted(tmp_path.iterdir())[3]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"has missing slices .*is cut short: 1\d\d bytes for 240 bytes"):
        scan_folder(tmp_path, progress=False)
