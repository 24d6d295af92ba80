"""What a comparison of fine-tunings sets beside each other: nothing, or weights of some pre-training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runs.fine_tuning import described_overrides
from ..utils.errors import UserError
from ..utils.files import absolute

SCRATCH = "from scratch"


@dataclass(frozen=True)
class Arm:
    """One way to start a fine-tuning.

    Attributes:
        name: stands in tables and figures.
        weights: files that the seeds start from in turn, one for each seed of the pre-training; none from scratch.
        part: part of the network that is filled; as the bundle has it if ``None``.
    """

    name: str
    weights: tuple[Path, ...] = ()
    part: str | None = None

    def weights_of(self, number: int) -> Path | None:
        """Return the file of the n-th seed."""
        return self.weights[number % len(self.weights)] if self.weights else None

    def overrides(self, number: int) -> dict[str, Any]:
        """Return the ids of the bundle that make the n-th seed one of this arm."""
        path = self.weights_of(number)
        start = {"pretrained_path": None if path is None else str(path)}
        return start if self.part is None else {**start, "pretrained_part": self.part}

    def place(self, seed: int, number: int, epochs: int) -> str:
        """Return the name of the folder of a run."""
        name = "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in self.name)
        file = f"_weights_{number % len(self.weights) + 1}" if len(self.weights) > 1 else ""
        return f"{name}{file}_seed_{seed}_epochs_{epochs}"


def read_arms(texts: Sequence[str]) -> list[Arm]:
    """Read arms from a command line, each ``name=file``, ``name=file,file`` or ``name=file,file:part``.

    Raises:
        UserError: a text has no name or file, a name occurs twice, or a file does not exist.
    """
    arms = []
    for text in texts:
        name, equals, rest = text.partition("=")
        files, colon, part = rest.rpartition(":")
        if not colon or "/" in part or "." in part:  # a colon within a path
            files, part = rest, ""
        if not name or not equals or not files:
            raise UserError(f"The arm {text!r} is not name=file, such as pre-trained=run/models/model.pt.")
        paths = tuple(absolute(file) for file in files.split(","))
        for path in paths:
            if not path.is_file():
                raise UserError(f"There are no weights {path}; --arm takes files such as models/model.pt of a run.")
        arms.append(Arm(name, paths, part or None))
    names = [SCRATCH, *(arm.name for arm in arms)]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"Two arms are called {name!r}; give each a name of its own.")
    return arms


def shared_overrides(arms: Sequence[Arm], config: Path) -> dict[str, Any]:
    """Return what the descriptions beside all weights say of the network and the intensities.

    Raises:
        UserError: two files differ in it, so that no network takes both.
    """
    found: dict[str, Any] = {}
    first: dict[str, Path] = {}
    for path in (path for arm in arms for path in arm.weights):
        for name, value in described_overrides(path, config).items():
            if found.setdefault(name, value) != value:
                raise UserError(
                    f"{name} is {value} beside {path}, but {found[name]} beside {first[name]}; arms are compared on "
                    "the same network and images."
                )
            first.setdefault(name, path)
    return found
