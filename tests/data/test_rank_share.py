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


def test_more_processes_than_records_look_at_some_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shares(monkeypatch, records=2, processes=5) == [[0], [1], [0], [1], [0]]
    assert shares(monkeypatch, records=0, processes=2) == [[], []], "pre-flight refuses it"
