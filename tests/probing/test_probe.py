from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ignite.engine import Engine

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.probing.frozen_probe import Scores
from monai_sg.probing.probe import Probe, score_lines, write_scores

BOXES = "id,label\nscan000,0\nscan001,1\nscan002,0\nscan003,1\n"


@pytest.fixture
def probe(make_cache: Callable[..., VolumeCache], split_ids: Callable[..., Datalist], tmp_path: Path) -> Probe:
    cache = make_cache([(16, 16, 16)] * 4)
    (tmp_path / "boxes.csv").write_text(BOXES)
    return Probe(
        GenesisUNet(3, width=2),
        tmp_path / "boxes.csv",
        cache,
        split_ids(cache.ids, test=2),
        crop_size=(8, 8, 8),
        overview_size=(16, 16, 16),
        intensity_range=(-1000, 1000),
        path=tmp_path / "run" / "baselines.csv",
        interval=2,
    )


def run(probe: Probe, epochs: int) -> list[dict[str, Any]]:
    """Validate in each epoch as MONAI's evaluators do; return the metrics after each."""
    engine, metrics = Engine(lambda *_: None), []
    probe.attach(engine)
    for epoch in range(1, epochs + 1):
        engine.state.epoch, engine.state.max_epochs, engine.state.iteration = epoch - 1, epoch, epoch - 1
        engine.run([0], max_epochs=epoch)
        metrics.append(dict(engine.state.metrics))
    return metrics


def test_accuracies_are_metrics_of_every_second_epoch(probe: Probe, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        first, second, third, fourth = run(probe, 4)
    assert first == third == {}
    assert second.keys() == fourth.keys() == {"probe_knn_accuracy", "probe_linear_accuracy"}
    assert all(0 <= value <= 1 for value in second.values())
    assert "Frozen features in epoch 4: balanced accuracy" in caplog.text


def test_the_network_is_measured_with_the_statistics_of_clean_images(probe: Probe) -> None:
    seen: list[str] = []

    @contextmanager
    def clean() -> Iterator[None]:
        seen.append("clean")
        yield
        seen.append("as trained")

    probe.clean = clean
    measured = probe.probe.network_scores
    probe.probe.network_scores = lambda network: (seen.append("measured"), measured(network))[1]  # type: ignore[method-assign, func-returns-value]
    run(probe, 2)
    assert seen == ["clean", "measured", "as trained"]


def test_what_needs_no_pre_training_is_measured_once(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    baselines = probe.probe.baselines
    monkeypatch.setattr(probe.probe, "baselines", lambda network: (calls.append(1), baselines(network))[1])
    run(probe, 5)
    assert calls == [1]
    with open(probe.path, newline="") as file:
        names = [row["features"] for row in csv.DictReader(file)]
    assert names == ["random network", "intensity histogram", "small pixels", "majority class"]


def test_other_ranks_do_nothing(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monai_sg.probing.probe.rank", lambda: 1)
    assert run(probe, 2) == [{}, {}]
    assert not probe.path.exists()


def test_whole_images_are_seen_at_the_size_of_overviews(probe: Probe) -> None:
    assert probe.probe.size == (16, 16, 16)


def test_scores_are_written_and_shown(tmp_path: Path) -> None:
    scores = {"network": Scores(0.75, 0.875, 0.5, 0.625)}
    assert write_scores(tmp_path / "a.csv", scores).read_text() == (
        "features,knn_accuracy,knn_auc,linear_accuracy,linear_auc\nnetwork,0.75,0.875,0.5,0.625\n"
    )
    assert score_lines(scores)[-1].split() == ["network", "0.750", "0.875", "0.500", "0.625"]


def test_boxes_without_images_are_refused(make_cache: Callable[..., VolumeCache], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"boxes\.csv lie in images.*Leave out probe_boxes"):
        Probe(
            GenesisUNet(3, width=2),
            tmp_path / "boxes.csv",
            make_cache([(8, 8, 8)]),
            None,
            crop_size=(8, 8, 8),
            overview_size=(8, 8, 8),
            intensity_range=(-1000, 1000),
            path=tmp_path / "baselines.csv",
        )
