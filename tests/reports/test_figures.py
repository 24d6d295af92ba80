from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_sg.reports.figures import (
    correlation_chart,
    curve_chart,
    pattern_montage,
    restoration_montage,
)

SPATIAL = [(12, 10), (12, 10, 6)]


def stack(count: int, spatial: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, *spatial), dtype=np.float32)


def is_picture(path: Path) -> bool:
    with Image.open(path) as image:
        return image.format == "PNG" and min(image.size) > 100 and len(set(image.convert("L").tobytes())) > 10


@pytest.mark.parametrize("spatial", SPATIAL)
def test_pattern_montage_is_written(spatial: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "new" / "patterns.png"
    crops, references = [stack(3, spatial), stack(2, spatial, 1)], [stack(2, spatial, 2), stack(3, spatial, 3)]
    made = pattern_montage(
        path,
        crops,
        references,
        [("class 4", "random"), ("left", "r = 0.25")],
        distances=[[0, 1.5, 2], [0, 3]],
        spacing=[3.0] * len(spatial),
    )
    assert made == path
    assert is_picture(path)
    assert [file.name for file in path.parent.iterdir()] == ["patterns.png"]


@pytest.mark.parametrize("spatial", SPATIAL)
def test_restoration_montage_is_written(spatial: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "restoration.png"
    restoration_montage(path, *(stack(2, spatial, seed) for seed in range(3)), ["one", "two"])
    assert is_picture(path)


def test_charts_are_written(tmp_path: Path) -> None:
    values = [0.5, 0.7, 0.9], [0.4, 0.5, float("nan")]
    assert is_picture(correlation_chart(tmp_path / "a.png", *values))
    assert is_picture(correlation_chart(tmp_path / "c.png", *values, shared_bits=(0.25, 1.58)))
    runs = [[0.1, float("nan"), 0.5], [0.3, float("nan"), float("nan")]]
    assert is_picture(curve_chart(tmp_path / "d.png", {"from scratch": runs}))
    assert is_picture(curve_chart(tmp_path / "b.png", {"training": [3, 2, 1], "validation": [float("nan"), 2.5, 2]}))


def test_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    curve_chart(tmp_path / "a.png", {"training": [2, 1]})
    curve_chart(tmp_path / "b.png", {"training": [2, 1]})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda p: pattern_montage(p, [stack(2, (5, 5))], [stack(2, (5, 5))] * 2, [("a", "b")]), "references.: 2"),
        (lambda p: pattern_montage(p, [], [], []), "at least one"),
        (
            lambda p: pattern_montage(p, [np.zeros((5, 5))], [np.zeros((1, 5, 5))], [("a", "b")]),
            r"crops of row 0 .*\(5, 5\)",
        ),
        (lambda p: restoration_montage(p, *[stack(1, (5, 5))] * 2, stack(1, (5, 6)), ["a"]), r"\(1, 5, 6\) differ"),
        (lambda p: restoration_montage(p, *[stack(2, (5, 5))] * 3, ["a"]), "names.: 1"),
        (lambda p: restoration_montage(p, *[stack(1, (5, 5))] * 3, ["a"], spacing=[1, 1, 1]), "spacing has 3"),
        (lambda p: correlation_chart(p, [0.1], [0.1, 0.2]), "random.: 2"),
        (lambda p: curve_chart(p, {"training": []}), "training.: 0"),
        (lambda p: curve_chart(p, {}), "at least one curve"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(draw: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        draw(tmp_path / "figure.png")
    assert not (tmp_path / "figure.png").exists()
