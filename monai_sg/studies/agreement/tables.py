"""Tables of what an `AgreementStudy` gave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import nan
from pathlib import Path
from statistics import mean

from ...utils.files import write_csv
from ..spread import spread, spread_text
from .study import ALL, RANDOM, AgreementStudy, Row

FILES = {"rows": "agreement.csv", "contents": "organs.csv", "lungs": "lungs.csv"}
LUNG_MEANS = {"mean_mm": "mean mm", "x_mm": "along x", "y_mm": "along y", "z_mm": "along z"}


@dataclass(frozen=True)
class AgreementTables:
    """What all draws of a study gave; each row names its draw.

    Attributes:
        title: sizes of the study.
        neighbours: images similar to a reference, itself included.
        rows: see `AgreementStudy.compare`.
        contents: likewise.
        lungs: see `AgreementStudy.compare_lungs`.
    """

    title: str
    neighbours: int
    rows: list[Row]
    contents: list[Row]
    lungs: list[Row]

    @classmethod
    def of(cls, study: AgreementStudy) -> AgreementTables:
        """Run the draws of a study."""
        rows: list[Row] = []
        contents: list[Row] = []
        lungs: list[Row] = []
        numbers = range(study.settings.draws)
        drawn = [study.draw(number) for number in numbers]
        for number, places in zip(numbers, drawn, strict=True):
            found = (*study.compare(places), study.compare_lungs(places))
            for table, more in zip((rows, contents, lungs), found, strict=True):
                table += [{"draw": number, **row} for row in more]
        fewest = min(len(places.references) for places in drawn)
        images = len(study.last.ids)
        sizes = f"{fewest} places in {min(study.settings.references, images)} of {images} images"
        return cls(f"{sizes}, {len(drawn)} draws", study.neighbours, rows, contents, lungs)

    def lines(self) -> list[str]:
        """Return the tables for reading."""
        return [
            self.title,
            *self._frame_lines(),
            *self._neighbour_lines(),
            *self._organ_lines(),
            *self._lung_lines(),
        ]

    def write(self, folder: Path) -> list[Path]:
        """Write the tables that have rows as CSV, and return their paths."""
        tables = {file: getattr(self, name) for name, file in FILES.items()}
        return [write_csv(folder / file, rows) for file, rows in tables.items() if rows]

    def bars(self) -> dict[str, dict[str, dict[str, tuple[float, float]]]]:
        """Return measure -> frame -> what the images were chosen by -> mean and standard deviation over the draws."""
        return {
            measure: {
                frame: {images: spread(self._values(measure, frame, images)) for images in self._images[1:]}
                for frame in self._frames
            }
            for measure in self._measures
        }

    def chance(self) -> dict[str, dict[str, float]]:
        """Return measure -> frame -> what other places give."""
        return {measure: {frame: self._chance(measure, frame) for frame in self._frames} for measure in self._measures}

    @property
    def _measures(self) -> list[str]:
        return _different(row["measure"] for row in self.rows)

    @property
    def _frames(self) -> list[str]:
        return _different(row["frame"] for row in [*self.rows, *self.contents])

    @property
    def _images(self) -> list[str]:
        return _different(row["images"] for row in self.rows)

    def _values(self, measure: str, frame: str, images: str, column: str = "value") -> list[float]:
        wanted = (measure, frame, images)
        found = [row[column] for row in self.rows if (row["measure"], row["frame"], row["images"]) == wanted]
        return found or [nan]

    def _chance(self, measure: str, frame: str) -> float:
        return mean(self._values(measure, frame, ALL, "chance"))

    def _frame_lines(self) -> list[str]:
        if not self.rows:
            return []
        lines = ["", "all images: mean ± standard deviation over the draws (in brackets: other places)"]
        lines.append(f"{'frame':<24}" + "".join(f"{measure:>22}" for measure in self._measures))
        for frame in self._frames:
            cells = (
                f"{spread_text(self._values(measure, frame, ALL), 2)} ({self._chance(measure, frame):.2f})"
                for measure in self._measures
            )
            lines.append(f"{frame:<24}" + "".join(f"{cell:>22}" for cell in cells))
        return lines

    def _neighbour_lines(self) -> list[str]:
        if not self.rows:
            return []
        what = f"{self.neighbours} images, the reference among them: the others at random, and what similar ones gain"
        lines = ["", what, f"{'frame':<8}{'images':<16}" + "".join(f"{measure:>22}" for measure in self._measures)]
        for frame in self._frames:
            for images in self._images[1:]:
                cells = (self._gain(measure, frame, images) for measure in self._measures)
                lines.append(f"{frame:<8}{images:<16}" + "".join(f"{cell:>22}" for cell in cells))
        return lines

    def _gain(self, measure: str, frame: str, images: str) -> str:
        values, random = (self._values(measure, frame, kind) for kind in (images, RANDOM))
        if images == RANDOM:
            return spread_text(random, 3)
        return spread_text([one - other for one, other in zip(values, random, strict=True)], 3, "+")

    def _organ_lines(self) -> list[str]:
        if not self.contents:
            return []
        lines = ["", "share of the voxels of all boxes, by label"]
        for frame in self._frames:
            shares: dict[int, list[float]] = {}
            for row in self.contents:
                if row["frame"] == frame:
                    shares.setdefault(row["organ"], []).append(row["share"])
            lines.append(f"{frame:<8}" + ", ".join(f"{organ}: {mean(own):.3f}" for organ, own in shares.items()))
        return lines

    def _lung_lines(self) -> list[str]:
        if not self.lungs:
            return []
        header = f"{'image':<40}{'IoU':>8}{'largest mm':>12}" + "".join(f"{name:>10}" for name in LUNG_MEANS.values())
        lines = [
            "",
            "a lung box around the labels instead of the one found by thresholds: by how far places move",
            header,
        ]
        ids = _different(row["id"] for row in self.lungs)
        for name in [*ids, *(["all"] if len(ids) > 1 else [])]:
            own = [row for row in self.lungs if name in (row["id"], "all")]
            means = (f"{mean(row[column] for row in own):>10.1f}" for column in LUNG_MEANS)
            largest = max(row["largest_mm"] for row in own)
            lines.append(f"{name:<40}{mean(row['iou'] for row in own):>8.2f}{largest:>12.1f}" + "".join(means))
        return lines


def _different(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
