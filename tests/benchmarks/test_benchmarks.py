from __future__ import annotations

import pytest
import torch

from tests.benchmarks import reference_corruption, step
from tests.benchmarks.arguments import parser
from tests.benchmarks.reference_network import ReferenceNetwork
from tests.benchmarks.table import compared, limited, number, skipped, table
from tests.benchmarks.training import CLASSES, method_of


def test_ratio_says_how_many_times_better_ours_is() -> None:
    assert compared("g", "w", 20.0, "crops/s", 4.0).ratio == 5.0
    assert compared("g", "w", 4.0, "ms", 20.0).ratio == 5.0


def test_targets_are_met_or_not() -> None:
    assert compared("g", "w", 20.0, "crops/s", 4.0, target=5).met is True
    assert compared("g", "w", 20.0, "crops/s", 4.0, target=6).met is False
    assert compared("g", "w", 4.0, "s", 20.0, limit=3).met is False
    assert limited("g", "w", 2.0, "MB", 2).met is True


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234"), (12.34, "12.3"), (0.01234, "0.0123"), (1.0, "1"), (0.0001, "0.000100")]
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_table_leaves_out_empty_columns() -> None:
    text = table([limited("g", "a", 2.0, "MB", 4), skipped("g", "b", "not here")])
    assert text.splitlines() == [
        "| work | measured | target | met | note     |",
        "| ---- | -------- | ------ | --- | -------- |",
        "| a    | 2 MB     | ≤ 4 MB | yes |          |",
        "| b    |          |        |     | not here |",
    ]


def test_reference_is_the_published_network() -> None:
    with torch.device("meta"):
        network = ReferenceNetwork(width=32, num_classes=CLASSES)
    assert sum(parameter.numel() for parameter in network.parameters()) == 33_277_613


def test_step_is_measured_beside_a_reference_of_the_same_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_corruption, "genesis", reference_corruption.one_of_four)  # seconds less
    given = ["--width", "2", "--size", "16", "16", "16", "--batch", "2", "--repeats", "1"]
    args = parser().parse_args(given)
    ours, reference = method_of(args, step.Identity()), ReferenceNetwork(args.width, CLASSES)
    assert sorted(p.shape for p in ours.parameters()) == sorted(p.shape for p in reference.parameters())
    rows = step.rows(args)
    assert [row.work for row in rows[:4]] == ["load", "corrupt", "forward, backward, optimiser", "all together"]
    assert all(row.value is not None and row.value > 0 for row in rows)
    assert all(row.reference is not None and row.reference > 0 for row in rows[:5])
