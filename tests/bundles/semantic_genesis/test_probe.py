"""A probe during pre-training measures and changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_sg.handlers.history import read_history
from monai_sg.runs.chain import Chain
from monai_sg.runs.record import RunRecord
from tests.bundles.families.semantic_genesis import BUNDLE, overrides
from tests.bundles.semantic_genesis.test_chain import assert_equal
from tests.bundles.test_runs import without

PROBE = ("validation_probe_knn_accuracy", "validation_probe_linear_accuracy")


def train(data: Path, output: Path, **more: Any) -> list[dict[str, float]]:
    workflow = Chain(BUNDLE, overrides(data, output, epochs=3, **more), ["train"]).workflow("train")
    workflow.run()
    workflow.finalize()
    return read_history(output / "train" / "metrics.csv")


def test_training_is_bit_for_bit_the_same_with_a_probe(
    finished_run: Path, phantom_cohort: Path, tmp_path: Path
) -> None:
    plain, probed = (
        without(finished_run, tmp_path / "plain", "train"),
        without(finished_run, tmp_path / "probed", "train"),
    )
    rows = train(phantom_cohort, plain)
    boxes = str(finished_run / "patterns.json")
    probed_rows = train(phantom_cohort, probed, probe_boxes=boxes, probe_interval=2, num_workers=1)
    assert_equal(plain / "models/model.pt", probed / "models/model.pt")
    assert_equal(plain / "train/method.pt", probed / "train/method.pt")
    assert [[name in row for name in PROBE] for row in probed_rows] == [[False] * 2, [True] * 2, [False] * 2]
    assert 0 <= probed_rows[1][PROBE[0]] <= 1
    assert rows == [{name: value for name, value in row.items() if name not in PROBE} for row in probed_rows]
    assert not (plain / "train" / "probe_baselines.csv").exists()
    names = [line.split(",")[0] for line in (probed / "train" / "probe_baselines.csv").read_text().splitlines()[1:]]
    assert {"random network", "position", "majority class"} <= set(names)
    curves = EventAccumulator(str(probed / "train" / "validation")).Reload()
    assert {"loss", "probe_knn_accuracy", "probe_linear_accuracy"} <= set(curves.Tags()["scalars"])


def test_bad_boxes_stop_before_the_first_epoch(finished_run: Path, phantom_cohort: Path, tmp_path: Path) -> None:
    output = without(finished_run, tmp_path / "bad", "train")
    (tmp_path / "boxes.csv").write_text("id,label\nnobody,1\n")
    with pytest.raises(RuntimeError) as error:
        train(phantom_cohort, output, probe_boxes=str(tmp_path / "boxes.csv"))
    assert "'nobody', which is none of the" in str(error.value.__cause__)
    assert not RunRecord(output / "run.json", "train", {}).is_finished
    assert not (output / "train" / "metrics.csv").exists()
