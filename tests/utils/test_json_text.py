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


def test_arguments_of_a_component_fill_lines_and_its_class_stays_alone() -> None:
    size = list(range(8))
    made = {"_target_": "Reader", "first": size, "second": size, "third": size, "fourth": {"_target_": "A"}}
    assert json_text({"reader": made, "other": {"a": size, "b": size, "c": size, "d": size}}).splitlines() == [
        "{",
        '    "reader": {',
        '        "_target_": "Reader",',
        f'        "first": {size}, "second": {size}, "third": {size},',
        '        "fourth": {"_target_": "A"}',
        "    },",
        '    "other": {',
        *(f'        "{name}": {size}{comma}' for name, comma in zip("abcd", [",", ",", ",", ""], strict=True)),
        "    }",
        "}",
    ]


def test_what_is_broken_stays_alone() -> None:
    long = ["x" * 60, "y" * 60]
    text = json_text({"reader": {"_target_": "Reader", "a": 1, "names": long, "b": 2}})
    names = [f'            "{long[0]}",', f'            "{long[1]}"']
    expected = ['        "a": 1,', '        "names": [', *names, "        ],", '        "b": 2', "    }", "}"]
    assert text.splitlines()[3:] == expected


@pytest.mark.parametrize("size", range(80, 130))
def test_no_line_with_room_to_break_is_longer_than_120_columns(size: int) -> None:
    content = {"a": {"_target_": "T", "b": "x" * (size - 60), "c": "y" * 20, "d": {"e": 1}, "f": ["z" * 30, "z" * 40]}}
    text = json_text({"top": content, "list": [content]})
    assert max(map(len, text.splitlines())) <= 120
    assert json.loads(text) == {"top": content, "list": [content]}


@pytest.mark.parametrize("content", [[], {}, 1, "text", None])
def test_a_value_alone(content: object) -> None:
    assert json_text(content) == json.dumps(content) + "\n"
