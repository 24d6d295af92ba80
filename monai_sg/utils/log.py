"""One log: one format, our own lines, and of other packages only what went wrong."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

OWN = __name__.partition(".")[0]
FORMAT, TIME = "%(asctime)s %(message)s", "%H:%M:%S"
# They warn of what nobody can act on: decoders for GPUs, configs that are code, files without values that are not used.
LOUD = ("py.warnings", "pydicom", "monai")
# MONAI gives these handlers of their own, in a format of their own, unless there are loggers of these names already.
APART = (
    "monai.apps",
    "monai.bundle.scripts",
    "monai.bundle.workflows",
    "monai.data.image_writer",
    "monai.handlers.StatsHandler",
    "monai.inferers.inferer",
    "monai.networks.utils",
    "monai.transforms.compose",
)


def set_up_log(verbose: bool = False) -> None:
    """Send the log to stderr, so that stdout holds results only.

    Args:
        verbose: also what MONAI, ignite, pydicom and other packages say.
    """
    handler = _Stderr()
    handler.setFormatter(logging.Formatter(FORMAT, TIME))
    if not verbose:
        handler.addFilter(is_wanted)
    logging.captureWarnings(True)
    _set_levels(logging.NOTSET)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in APART:
        logging.getLogger(name).handlers = [handler]


def quiet_others() -> None:
    """Silence what other packages warn of, where a log has been set up already, as by MONAI from a bundle's file."""
    logging.captureWarnings(True)
    _set_levels(logging.ERROR)


def _set_levels(level: int) -> None:
    for name in LOUD:
        logging.getLogger(name).setLevel(level)


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg]  # takes no argument before Python 3.11
    """Write to what stderr is when a line comes, not to what it was once."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr


def is_wanted(record: logging.LogRecord) -> bool:
    """Return whether a line is our own, or a warning of another package that is worth a look."""
    top = record.name.partition(".")[0]
    if top == OWN:
        return True
    is_loud = any(f"{record.name}.".startswith(f"{name}.") for name in LOUD)
    return record.levelno >= (logging.ERROR if is_loud else logging.WARNING)
