from __future__ import annotations

from monai_sg.utils.distributed import gathered, rank, world_size


def test_a_process_alone_gathers_its_own_value() -> None:
    assert (rank(), world_size()) == (0, 1)
    assert gathered(["a"]) == [["a"]]
