from __future__ import annotations

import pytest
import torch

from monai_sg.discovery.neighbours import nearest


def test_hand_computed_distances() -> None:
    database = torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]])
    distances, indices = nearest(torch.tensor([[0.0, 0.0]]), database, 3)
    assert indices.tolist() == [[0, 2, 1]]
    assert distances.tolist() == [[0.0, 1.0, 5.0]]


@pytest.mark.parametrize("chunk", [7, 64, 1000])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_equals_brute_force_whatever_the_chunk(chunk: int, offset: float) -> None:
    generator = torch.Generator().manual_seed(0)
    queries, database = (torch.randn(n, 16, generator=generator) + offset for n in (9, 300))
    exact = (queries.double()[:, None] - database.double()).norm(dim=-1)
    expected, order = exact.sort(dim=1, stable=True)
    distances, indices = nearest(queries, database, 20, chunk)
    assert torch.equal(indices, order[:, :20])
    torch.testing.assert_close(distances, expected[:, :20].float(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("chunk", [3, 5, 100])
def test_ties_come_in_the_order_of_their_index(chunk: int) -> None:
    database = torch.rand(1, 32, generator=torch.Generator().manual_seed(0)).expand(17, 32).contiguous()
    distances, indices = nearest(database[:2] + 1, database, 6, chunk)
    assert indices.tolist() == [list(range(6))] * 2
    assert distances.unique().numel() == 1


def test_a_row_of_the_database_is_its_own_nearest_neighbour() -> None:
    database = torch.randn(50, 8, generator=torch.Generator().manual_seed(0)) * 1e-3 + 1e4
    distances, indices = nearest(database, database, 1)
    assert torch.equal(distances, torch.zeros(50, 1))
    assert indices.flatten().tolist() == list(range(50))


def test_together_equals_one_by_one() -> None:
    generator = torch.Generator().manual_seed(1)
    queries, database = torch.randn(5, 8, generator=generator), torch.randn(40, 8, generator=generator)
    together = nearest(queries, database, 4)[1]
    assert torch.equal(together, torch.cat([nearest(query[None], database, 4)[1] for query in queries]))


def test_no_queries_give_no_neighbours() -> None:
    distances, indices = nearest(torch.zeros(0, 4), torch.zeros(3, 4), 2)
    assert distances.shape == indices.shape == (0, 2)


@pytest.mark.parametrize("k", [0, 4])
def test_refuses_more_neighbours_than_rows(k: int) -> None:
    with pytest.raises(ValueError, match=rf"k = {k} .* 3 rows"):
        nearest(torch.zeros(1, 2), torch.zeros(3, 2), k)


def test_refuses_other_widths_and_values_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        nearest(torch.zeros(1, 2), torch.zeros(3, 4), 1)
    with pytest.raises(ValueError, match="not finite"):
        nearest(torch.zeros(1, 2), torch.tensor([[0.0, float("nan")]]), 1)
