"""How far a loop is: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import io
import logging
import sys
from contextlib import ExitStack
from typing import Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

logger = logging.getLogger(__name__)

EVERY = 30.0


class Bar(tqdm):
    """tqdm's bar, above which the log is written while it is open.

    Where stderr is no terminal, such as in a file, there is no bar, but a line of the log every half minute.

    Args:
        args: as for ``tqdm``.
        options: as for ``tqdm``.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._is_lines = not sys.stderr.isatty()
        self._redirect = ExitStack()
        if self._is_lines:
            options |= {"file": io.StringIO(), "mininterval": EVERY, "maxinterval": EVERY}
        super().__init__(*args, dynamic_ncols=True, **options)
        if not self._is_lines and not self.disable:
            self._redirect.enter_context(logging_redirect_tqdm())

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Draw the bar, or say how far it is."""
        if not self._is_lines:
            return bool(super().display(msg, pos))
        facts = self.format_dict
        done, total, elapsed = facts["n"], facts["total"], facts["elapsed"]
        if elapsed >= EVERY:
            of = f" of {total}" if total else ""
            logger.info(f"{facts['prefix']}: {done}{of}{_left(done - self.initial, done, total, elapsed)}.")
        return True

    def close(self) -> None:
        """Take the bar away."""
        super().close()
        self._redirect.close()


def _left(steps: int, done: int, total: int | None, elapsed: float) -> str:
    if not total or not steps or done >= total:
        return f" in {duration(elapsed)}"
    return f", about {duration(elapsed / steps * (total - done))} left"


def duration(seconds: float) -> str:
    """Return a time for reading, such as ``40 s``, ``3 min`` or ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
