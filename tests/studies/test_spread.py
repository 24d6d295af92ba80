from __future__ import annotations

import pytest

from monai_sg.studies.spread import spread, spread_text


def test_deviation_is_that_of_a_sample_and_none_of_a_single_value() -> None:
    assert spread([1.0, 2.0, 3.0]) == (2.0, 1.0)
    assert spread([0.5]) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("values", "digits", "sign", "text"),
    [([0.25, 0.75], 3, "", "0.500 ± 0.354"), ([0.25], 2, "", "0.25"), ([0.1, 0.1], 1, "+", "+0.1 ± 0.0")],
)
def test_mean_and_deviation_are_read(values: list[float], digits: int, sign: str, text: str) -> None:
    assert spread_text(values, digits, sign) == text
