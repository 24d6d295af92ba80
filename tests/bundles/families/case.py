"""What a test has to know about a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Steps = Mapping[tuple[str, ...], Mapping[str, Any]]


@dataclass(frozen=True)
class Case:
    """A bundle made small.

    Args:
        write: writes a small cohort to a folder and returns the ``dataset_dir`` in it.
        small: overrides for every config.
        stages: the files of each run that leads from images to weights, with overrides of its own.
        after: the same for what is run with these weights.
        ranks: the files that are run by two processes, one run after the other, with overrides of their own.
        wrong: settings that are refused before data are read: config, id and value.
        compare: raises if what the installed and the packed bundle left after evaluation and inference differs; for a
            family whose packed configs are those of MONAI.
    """

    write: Callable[[Path], Path]
    small: Mapping[str, Any]
    stages: Steps
    after: Steps
    ranks: Steps
    wrong: tuple[tuple[str, str, Any], ...]
    compare: Callable[[Path, Path], None] | None = None
    steps: Steps = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", {**self.stages, **self.after})
