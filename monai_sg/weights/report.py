"""What a weight file filled of a network, and the error when that is too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..utils.errors import UserError


@dataclass
class LoadReport:
    """Names in a network and in a file, sorted by what happened to them.

    ``matched`` are filled, those in ``adapted`` after a change of their input channels; ``missing`` are wanted by the
    network and absent from the file; ``mismatched`` have another shape; ``unexpected`` are in the file and nowhere in
    the network. ``source`` is the file, with what was changed in its names; ``parts`` are the parts asked for.
    """

    source: str
    parts: Sequence[str] = ()
    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: dict[str, str] = field(default_factory=dict)
    adapted: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether everything that was wanted is filled."""
        return not self.missing and not self.mismatched

    def __str__(self) -> str:
        wanted = len(self.matched) + len(self.missing) + len(self.mismatched)
        what = f"{wanted} tensors" + f" of {' and '.join(self.parts)}" * bool(self.parts)
        return (
            f"{self.source}: {len(self.matched)} of {what} fit, {len(self.missing)} missing, "
            f"{len(self.mismatched)} of another shape, {len(self.unexpected)} not in the network"
            + (f"; adapted: {', '.join(self.adapted)}" if self.adapted else "")
        )

    def details(self, count: int = 3) -> str:
        """Name the first ``count`` names of each kind that did not fit."""
        kinds = {
            "missing": self.missing,
            "of another shape": [f"{name} {shapes}" for name, shapes in self.mismatched.items()],
            "not in the network": self.unexpected,
        }
        return "; ".join(f"{kind}: {', '.join(names[:count])}" for kind, names in kinds.items() if names)


class WeightsMismatchError(UserError):
    """A weight file does not fill what was asked for; ``report`` says what."""

    def __init__(self, report: LoadReport, remedy: str) -> None:
        super().__init__(f"{report}. {report.details()}. {remedy}")
        self.report = report
