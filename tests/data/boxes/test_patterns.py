from __future__ import annotations

from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from monai_sg.data.boxes.patterns import pattern_boxes
from monai_sg.data.records import PatternTable


@pytest.fixture
def table() -> PatternTable:
    row = {"id": "near", "label": 3, "scale": 2, "box": [[4, 12], [5, 13], [6, 10]]}
    return PatternTable(0, "default", {}, "", [], training=[row], validation=[])


def test_boxes_are_copies_and_there_must_be_some(table: PatternTable) -> None:
    pattern_boxes(table)[0]["label"] = 9
    assert table.training[0]["label"] == 3
    for split in ("validation", "test"):
        with pytest.raises(ValueError, match=f"no {split} boxes"):
            pattern_boxes(table, split)
    with pytest.raises(ValueError, match="'train' is unknown"):
        pattern_boxes(table, "train")


def test_exact_training_boxes_stand_in_for_validation_and_never_for_test(
    table: PatternTable, caplog: pytest.LogCaptureFixture
) -> None:
    exact = {**table.training[0], "scale": 1}
    table.training.append(exact)
    assert pattern_boxes(table, "validation") == [exact]
    assert "the training boxes are validated on" in caplog.text
    with pytest.raises(ValueError, match="no test boxes"):
        pattern_boxes(table, "test")


def test_boxes_are_made_in_a_bundle(table: PatternTable, tmp_path: Path) -> None:
    parser = ConfigParser(
        {
            "table": {
                "_target_": "monai_sg.data.records.PatternTable.load",
                "path": str(table.save(tmp_path / "patterns.json")),
            },
            "data": {"_target_": "monai_sg.data.boxes.patterns.pattern_boxes", "table": "@table", "split": "training"},
        }
    )
    assert parser.get_parsed_content("data") == table.training
