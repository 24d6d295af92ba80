from __future__ import annotations

import json

import pytest

from monai_sg.utils.json_text import json_text


def test_what_fits_in_120_columns_stands_on_one_line() -> None:
    long = [list(range(20)), list(range(20, 40))]
    content = {"size": [64, 64, 32], "nested": {"a": {"b": [1]}}, "empty": {}, "none": None, "long": long}
    assert json_text(content) == (
        '{\n    "size": [64, 64, 32],\n    "nested": {"a": {"b": [1]}},\n    "empty": {},\n    "none": null,\n'
        '    "long": [\n'
        "        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19],\n"
        "        [20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39]\n"
        "    ]\n}\n"
    )
    assert json.loads(json_text(content)) == content


@pytest.mark.parametrize(("length", "lines"), [(107, 3), (108, 5)])
def test_a_comma_behind_it_counts(length: int, lines: int) -> None:
    # 4 for the indentation, 5 for the key, 2 for the brackets, 2 for the quotes.
    text = json_text({"a": ["x" * (length - 1)]})
    assert len(text.splitlines()) == lines
    assert max(map(len, text.splitlines()[:3])) <= 120


@pytest.mark.parametrize("content", [[], {}, 1, "text", None])
def test_a_value_alone(content: object) -> None:
    assert json_text(content) == json.dumps(content) + "\n"
