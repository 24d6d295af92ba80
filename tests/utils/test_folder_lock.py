from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from monai_sg.utils.folder_lock import folder_lock


def test_one_at_a_time_holds_the_lock(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait(60)
        with folder_lock(tmp_path / "new/fill.lock", "the folder"):
            order.append("second")

    with ThreadPoolExecutor() as pool:
        with folder_lock(tmp_path / "new/fill.lock", "the folder"):
            waiting = pool.submit(second)
            inside.set()
            while "Another process fills the folder; waiting for it." not in caplog.text:
                assert not waiting.done()
            order.append("first")
        waiting.result(60)
    assert order == ["first", "second"]


def test_an_error_inside_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(KeyError), folder_lock(tmp_path / "fill.lock", "the folder"):
        raise KeyError
    with folder_lock(tmp_path / "fill.lock", "the folder"):
        pass


def test_where_nothing_can_be_locked_the_work_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unsupported(self: FileLock, **_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(FileLock, "acquire", unsupported)
    done = []
    with folder_lock(tmp_path / "fill.lock", "the folder"):
        done.append(True)
    assert done
    assert "cannot be locked; let one process at a time fill the folder" in caplog.text
