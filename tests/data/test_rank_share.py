from __future__ import annotations

import pytest
import torch.distributed as dist
from monai.data import Dataset

from monai_sg.data.rank_share import RankShare


def shares(monkeypatch: pytest.MonkeyPatch, records: int, processes: int) -> list[list[int]]:
    """Return the indices that each of several processes gets."""
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda *_: processes)
    found = []
    for rank in range(processes):
        monkeypatch.setattr(dist, "get_rank", lambda *_, rank=rank: rank)
        found.append(list(RankShare(Dataset(list(range(records))))))
    return found


def test_each_record_belongs_to_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shares(monkeypatch, records=5, processes=2) == [[0, 2, 4], [1, 3]]
    assert shares(monkeypatch, records=3, processes=3) == [[0], [1], [2]]


def test_fewer_records_than_processes_are_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="2 images cannot be shared by 3 processes; start at most 2 processes"):
        shares(monkeypatch, records=2, processes=3)
