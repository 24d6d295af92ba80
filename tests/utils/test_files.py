from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO

import pytest

from monai_sg.utils.files import read_csv, read_json, sha256_of, write_atomic, write_csv, write_json


def test_json_comes_back(tmp_path: Path) -> None:
    path = write_json(tmp_path / "new" / "a.json", {"b": [1, 2], "a": None})
    assert read_json(path) == {"b": [1, 2], "a": None}
    assert path.read_text().startswith('{\n "b"')


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", 1)

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise RuntimeError("disk is gone")

    with pytest.raises(RuntimeError, match="disk is gone"):
        write_atomic(path, fail)
    assert read_json(path) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json is not a JSON file"):
        read_json(tmp_path / "a.json")


def test_not_a_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * (2**20 + 1))
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"x" * (2**20 + 1)).hexdigest()


def test_a_table_has_the_columns_of_all_rows_and_empty_cells_for_absent_values(tmp_path: Path) -> None:
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "name": 'a, "b"'}]
    path = write_csv(tmp_path / "new" / "a.csv", rows)
    assert path.read_bytes() == b'epoch,loss,name\n1,0.5,\n2,0.25,"a, ""b"""\n'
    assert [p.name for p in path.parent.iterdir()] == ["a.csv"]


def test_a_table_is_read_by_column_and_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfname,value\na,1\n\xc3\xa4, 2\n")
    rows = [{"name": "a", "value": "1"}, {"name": "\u00e4", "value": "2"}]
    assert read_csv(tmp_path / "a.csv", skipinitialspace=True) == rows


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name\n\xe4\n", "is no table of text"),
        (b"a,b\n1\n", "row 2, has fewer cells than the 2 columns"),
        (b"a,b\n1,2\n1,2,3\n", "row 3, has more cells than the 2 columns"),
        (b"a\x0c,b\n1,2\n", r"has the column 'a\\x0c', which holds signs that cannot be printed"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_csv(tmp_path / "a.csv")
