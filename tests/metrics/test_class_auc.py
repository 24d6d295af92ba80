from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from ignite.exceptions import NotComputableError
from monai.metrics import ROCAUCMetric
from sklearn.metrics import roc_auc_score

from monai_sg.metrics.class_auc import ClassAUC, MeasureClassesd, class_aucs

CLASSES = ("a", "b", "c")
# "a": of 2 x 2 pairs 3 in order; "b": tied everywhere; "c": no positive
PROBABILITY = [[0.9, 0.5, 0.1], [0.4, 0.5, 0.2], [0.6, 0.5, 0.3], [0.1, 0.5, 0.4]]
LABEL = [[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]]


def _measured(probability: list[list[float]], label: list[Any], start: int = 0) -> list[dict[str, Any]]:
    measure = MeasureClassesd()
    pairs = enumerate(zip(probability, label, strict=True), start)
    return [dict(measure({"id": str(n), "pred": torch.tensor(p), "label": torch.tensor(g)})) for n, (p, g) in pairs]


def test_values_by_hand() -> None:
    values = class_aucs(torch.tensor(PROBABILITY), torch.tensor(LABEL), CLASSES)
    assert values == {"auc": pytest.approx(0.625), "auc_a": 0.75, "auc_b": 0.5}


def test_equals_scikit_learn_and_monai() -> None:
    draw = np.random.default_rng(0)
    label = (draw.random((500, 5)) < [0.5, 0.2, 0.05, 0.01, 0.9]).astype(int)
    probability = np.round(np.clip(draw.normal(0.4 + 0.1 * label, 0.2), 0, 1), 2).astype(np.float32)  # with ties
    values = class_aucs(torch.tensor(probability), torch.tensor(label), list("abcde"))
    each = [roc_auc_score(label[:, column], probability[:, column]) for column in range(5)]
    assert [values[f"auc_{name}"] for name in "abcde"] == pytest.approx(each, abs=1e-6)
    metric = ROCAUCMetric(average="macro")
    metric(torch.tensor(probability), torch.tensor(label))
    assert values["auc"] == pytest.approx(metric.aggregate(), abs=1e-6)
    assert values["auc"] == pytest.approx(roc_auc_score(label, probability, average="macro"), abs=1e-6)


def test_metric_spreads_its_values_and_names_what_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    batches = [_measured(PROBABILITY[:1], LABEL[:1]), _measured(PROBABILITY[1:], LABEL[1:], 1)]
    engine = Engine(lambda _, batch: batch)
    ClassAUC(CLASSES).attach(engine, "classes")
    metrics = engine.run(batches).metrics
    probability, label = torch.tensor(PROBABILITY), torch.tensor(LABEL)
    loss = -torch.where(label > 0, probability, 1 - probability).log().sum().item()
    assert metrics == {"auc": 0.625, "auc_a": 0.75, "auc_b": 0.5, "loss": pytest.approx(loss / 12)}
    assert caplog.text.count("c: all or none of the 4 images have it") == 1
    engine.run(batches)
    assert caplog.text.count("all or none") == 1, "said once"


def test_an_image_that_comes_twice_counts_once() -> None:
    metric = ClassAUC(CLASSES)
    metric.update(_measured(PROBABILITY, LABEL))
    once = metric.compute()
    metric.update(_measured(PROBABILITY[:2], LABEL[:2]))
    assert metric.compute() == once


def test_one_class_of_several() -> None:
    metric = ClassAUC(CLASSES)
    metric.update(_measured([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.3, 0.6]], [0, 1, 2]))
    assert metric.compute() == {
        "auc": pytest.approx(1.0),
        **{f"auc_{name}": 1.0 for name in CLASSES},
        "loss": pytest.approx(-(math.log(0.7) + math.log(0.4) + math.log(0.6)) / 3),
    }


def test_nothing_to_tell_apart(caplog: pytest.LogCaptureFixture) -> None:
    metric = ClassAUC(CLASSES)
    with pytest.raises(NotComputableError, match="No image"):
        metric.compute()
    metric.update(_measured(PROBABILITY[:1], LABEL[:1]))
    assert math.isnan(metric.compute()["auc"])
    assert "a, b, c: all or none of the 1 images" in caplog.text


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(
        ValueError, match=r"\(4, 3\) probabilities cannot be compared with \(4, 3\) labels of 2 classes"
    ):
        class_aucs(torch.tensor(PROBABILITY), torch.tensor(LABEL), ("a", "b"))


@pytest.fixture(autouse=True)
def _at_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
