"""The sentence that a user needs, out of an error that a config parser has wrapped."""

from __future__ import annotations

import sys
from types import TracebackType

from ..utils.causes import causes
from ..utils.errors import UserError

INTERRUPTED = "Interrupted. The same command goes on from what has been saved."


def reason_of(error: BaseException | None) -> str | None:
    """Return the sentence of the user's error behind ``error``, ``None`` if it is an error of the program.

    Our own sentence wins over those of libraries that it was raised from, or that were raised from it.
    """
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return next((str(each) for each in causes(error) if isinstance(each, UserError)), None)


def end_with_reason() -> None:
    """Let an error that ends the process print its reason last, below MONAI's traceback."""
    sys.excepthook = _print_with_reason


def _print_with_reason(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    reason = reason_of(error)
    if not isinstance(error, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    if reason is not None:
        sys.stderr.write(f"\n{reason}\n")
