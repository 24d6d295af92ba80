from __future__ import annotations

from pathlib import PurePosixPath

from monai_sg.data.datasets.inspection import Found
from monai_sg.data.readers.opened import ImageHeader
from monai_sg.reports.scan_table import Seen, format_rows, left_out_lines, oddities, text_table


def _found(name: str, spacing: float = 1.0, **more: str) -> Found:
    return Found(PurePosixPath(name), name, ImageHeader((10, 20, 30), (spacing, 1.0, 2.0)), ".nii.gz", **more)


HU = (-1010.0, -1000.0, -100.0, 60.0, 400.0)


def test_a_row_per_format_in_columns() -> None:
    found = [_found("a"), _found("b", 0.5), Found(PurePosixPath("c"), "c", ImageHeader((9, 9, 9), (1, 1, 1)), ".mha")]
    rows = format_rows(found, {0: Seen(HU), 1: Seen((-900, 0, 0, 0, 700.5))})
    assert text_table(rows) == [
        "format   images  size (voxels)  spacing (mm)   values",
        ".nii.gz  2       10 x 20 x 30   0.5-1 x 1 x 2  -1010 to 700.5",
        ".mha     1       9 x 9 x 9      1 x 1 x 1      not read",
    ]
    assert text_table([]) == []


def test_many_alike_are_one_line() -> None:
    skipped = [{"path": f"{number}.dcm", "reason": f"is cut short: {number} of 900 bytes"} for number in range(39)]
    lines = left_out_lines([*skipped, {"path": "x", "reason": "is empty"}])
    assert lines == ["39 from 0.dcm to 38.dcm: the first is cut short: 0 of 900 bytes", "x: is empty"]


def test_what_differs_from_most_is_odd() -> None:
    found = [_found(name) for name in "abc"] + [_found("far", 1000.0), _found("note", oddity="its form"), _found("bad")]
    seen = {place: Seen(HU) for place in range(4)} | {4: Seen((0, 0, 0, 1, 1)), 5: Seen(reason="has one value")}
    assert oddities(found, seen) == {
        3: ["has voxels of about 12.6 mm; most have about 1.26 mm"],
        4: ["its form", "has values from 0 to 1; most have -1010 to 400"],
        5: ["will be left out: it has one value"],
    }
    assert oddities(found[:2], {0: Seen(HU), 1: Seen((0, 0, 0, 1, 1))}) == {}, "two do not say what is usual"
