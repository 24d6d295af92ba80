from __future__ import annotations

import os
from pathlib import Path

import pytest

from monai_sg.utils.memory import free_memory, of_group


def test_what_is_free_is_less_than_what_there_is() -> None:
    free = free_memory()
    assert free is not None
    assert 0 < free <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(("limit", "expected"), [("1000", 1000 - 700 + 150), ("max", None)])
def test_files_that_can_be_dropped_are_free(tmp_path: Path, limit: str, expected: int | None) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 400\ninactive_file 150\nactive_file 20\n")
    assert of_group(tmp_path, "memory.max", "memory.current") == expected


def test_without_control_groups_nothing_is_told(tmp_path: Path) -> None:
    assert of_group(tmp_path, "memory.max", "memory.current") is None
