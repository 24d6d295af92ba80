"""Errors and what they were raised from."""

from __future__ import annotations

from monai_sg.utils.causes import causes


def test_causes_come_outermost_first_and_end_where_they_begin_anew() -> None:
    outer, inner = ValueError("outer"), OSError("inner")
    outer.__cause__ = inner
    assert list(causes(outer)) == [outer, inner]
    inner.__cause__ = outer
    assert list(causes(outer)) == [outer, inner]
    assert list(causes(None)) == []
