from __future__ import annotations

from typing import Any

import pytest

from monai_sg.data.class_weights import class_weights


def _records(*labels: Any) -> list[dict[str, Any]]:
    return [{"label": label} for label in labels]


def test_weights_of_several_classes() -> None:
    weights = class_weights(_records([1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]), 3)
    assert weights.tolist() == [3.0, 1.0, 1.0]


def test_weights_of_one_class() -> None:
    weights = class_weights(_records(0, 0, 0, 2), 3)
    assert weights.tolist() == pytest.approx([4 / 9, 1.0, 4 / 3])
