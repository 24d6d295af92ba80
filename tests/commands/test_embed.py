from __future__ import annotations

from pathlib import Path

import numpy as np

from monai_sg.commands.embed import embed


def test_embed_writes_features_and_a_picture(weights: str, places: dict[str, str], tmp_path: Path) -> None:
    text = embed(weights=weights, **places)
    with np.load(tmp_path / "out" / "features.npz") as content:
        count = len(content["ids"])
        assert content["features"].shape == (count, 120)
        assert content["size"].tolist() == [24, 16, 16]
    assert f"{count} scans, 120 = 8 + 16 + 32 + 64 values each" in text
    assert (tmp_path / "out" / "neighbours.png").read_bytes().startswith(b"\x89PNG")


def test_embed_describes_the_boxes_of_patterns(
    weights: str, places: dict[str, str], finished_run: Path, tmp_path: Path
) -> None:
    text = embed(weights=weights, boxes=str(finished_run / "patterns.json"), **places)
    with np.load(tmp_path / "out" / "features.npz") as content:
        assert content["boxes"].shape == (len(content["ids"]), 3, 2)
        assert set(content["labels"].tolist()) == {0, 1, 2, 3}
        assert f"{len(content['ids'])} boxes" in text
    assert (tmp_path / "out" / "neighbours.png").is_file()
