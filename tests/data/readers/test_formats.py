"""Formats of images, and the reason why one cannot be used."""

from __future__ import annotations

from monai_sg.data.readers.formats import UnusableImageError


def test_a_reason_is_one_line_whatever_a_header_names() -> None:
    assert str(UnusableImageError("names a\nb\x1c\x85é")) == r"names a\nb\x1c\x85é"
