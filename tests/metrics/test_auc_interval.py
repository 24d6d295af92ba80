from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from monai_sg.metrics import auc_interval
from monai_sg.metrics.auc_interval import auc_intervals, weighted_auc


def _cohort(images: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    draw = np.random.default_rng(seed)
    label = (draw.random((images, 2)) < [0.4, 0.1]).astype(int)
    return np.round(draw.normal(label, 1.0), 1), label, [str(number // 3) for number in range(images)]


def test_weights_count_as_copies() -> None:
    probability, label, _ = _cohort(60)
    weights = np.random.default_rng(1).integers(0, 4, (5, 60)).astype(np.float32)
    values = weighted_auc(probability[:, 0], label[:, 0], weights)
    for value, row in zip(values, weights.astype(int), strict=True):
        copies = np.repeat(np.arange(60), row)
        assert value == pytest.approx(roc_auc_score(label[copies, 0], probability[copies, 0]), abs=1e-9)


def test_parts_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = auc_intervals(*_cohort(), resamples=50)
    monkeypatch.setattr(auc_interval, "AT_ONCE", 700)
    assert auc_intervals(*_cohort(), resamples=50) == whole


def test_resamples_patients_as_a_loop_does() -> None:
    probability, label, patients = _cohort()
    each, mean = auc_intervals(probability, label, patients, resamples=400, seed=3)
    assert each[0].auc == pytest.approx(roc_auc_score(label[:, 0], probability[:, 0]), abs=1e-9)
    assert mean.auc == pytest.approx(roc_auc_score(label, probability), abs=1e-9)
    draw, members = np.random.default_rng(0), np.arange(300).reshape(100, 3)
    loop = []
    for _ in range(400):
        images = members[draw.integers(0, 100, 100)].ravel()
        loop.append(roc_auc_score(label[images], probability[images]))
    assert [mean.low, mean.high] == pytest.approx(np.percentile(loop, (2.5, 97.5)), abs=0.015)
    assert auc_intervals(probability, label, patients, resamples=400, seed=3) == (each, mean), "a function of the seed"
    assert auc_intervals(probability, label, patients, resamples=400, seed=4)[1].low != mean.low


def test_images_of_a_patient_stay_together() -> None:
    probability, label, _ = _cohort(40)
    copies, patients = np.repeat(np.arange(40), 10), [str(number // 10) for number in range(400)]
    alone = auc_intervals(probability, label, [str(number) for number in range(40)])[1]
    together = auc_intervals(probability[copies], label[copies], patients)[1]
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.15)


def test_a_class_without_positives_is_no_part_of_the_mean() -> None:
    probability, label, patients = _cohort()
    label[:, 1] = 0
    each, mean = auc_intervals(probability, label, patients, resamples=50)
    assert np.isnan(each[1]).all()
    assert mean == each[0]
    label[:] = 1
    assert np.isnan(auc_intervals(probability, label, patients, resamples=50)[1]).all()


def test_a_rare_class_is_left_out_of_the_resamples_without_it() -> None:
    probability, label, patients = _cohort()
    label[:, 1] = 0
    label[5, 1] = 1
    each, mean = auc_intervals(probability, label, patients, resamples=200)
    assert np.isfinite([*each[1], *mean]).all()
