from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from monai_sg.reports.agreement import agreement_chart


def test_a_panel_is_drawn_per_measure(tmp_path: Path) -> None:
    bars = {
        "voxel": {"random": (0.2, 0.02), "nearest": (0.3, 0.0)},
        "lung": {"random": (0.5, 0.1), "nearest": (0.6, 0)},
    }
    chance = {"voxel": 0.1, "lung": 0.05}
    path = agreement_chart(tmp_path / "a.png", {"one": bars, "two": bars}, {"one": chance, "two": chance}, "t")
    with Image.open(path) as image:
        assert image.format == "PNG"
        # Two panels, each of which holds the bars of both kinds of images.
        halves = [image.crop((left, 0, left + image.width // 2, image.height)) for left in (0, image.width // 2)]
        for half in halves:
            colours = {colour for _, colour in half.convert("RGB").getcolors(1 << 24)}
            assert {(31, 119, 180), (255, 127, 14)} <= colours


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no measure"):
        agreement_chart(tmp_path / "a.png", {}, {}, "t")
