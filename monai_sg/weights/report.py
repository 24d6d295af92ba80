"""What a weight file filled of a network, and the error when that is too little."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class LoadReport:
    """Keys of a network and of a file, sorted by what happened to them.

    ``matched`` were filled, those in ``adapted`` after a change of their input channels; ``missing`` are wanted by the
    network and absent from the file; ``unexpected`` are in the file and nowhere in the network; ``mismatched`` have
    another shape. ``share`` is the part of the wanted elements that was filled, in [0, 1].
    """

    source: str
    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    adapted: list[str] = field(default_factory=list)
    share: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.source}: {len(self.matched)} tensors loaded ({self.share:.1%} of what was asked for), "
            f"{len(self.missing)} missing, {len(self.mismatched)} of another shape, "
            f"{len(self.unexpected)} not in the network"
            + (f"; adapted: {', '.join(self.adapted)}" if self.adapted else "")
        )

    def details(self, count: int = 10) -> str:
        """Name the first ``count`` keys of each kind that did not fit."""
        kinds = {
            "missing": self.missing,
            "of another shape": self.mismatched,
            "not in the network": self.unexpected,
        }
        return "; ".join(f"{kind}: {', '.join(keys[:count])}" for kind, keys in kinds.items() if keys)


class WeightsMismatchError(ValueError):
    """A weight file filled too little of a network; ``report`` says what."""

    def __init__(self, report: LoadReport, remedy: str) -> None:
        super().__init__(f"{report}. {report.details()}. {remedy}")
        self.report = report
