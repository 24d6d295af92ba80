"""What each stage in an output folder was run with, so that two runs are never mixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..utils.errors import UserError
from ..utils.files import read_json, write_json


def fingerprint(records: Any) -> str:
    """Return a short hash of JSON-like records, such as the boxes a run trains on."""
    return hashlib.sha256(json.dumps(records, sort_keys=True, default=str).encode()).hexdigest()[:16]


class RunRecord:
    """One stage's entry in ``run.json``: its settings, and whether it has finished.

    Args:
        path: ``run.json`` of the output folder, shared by all stages.
        stage: name of the stage, for example ``train``.
        settings: values that change the result, JSON-like; values that only change speed do not belong here.
        data: records the stage works on, kept as a hash.
        renewable: whether other data start a stage that has finished anew, as when labels are added.
        restart: whether a stage that has finished is started anew, with whatever settings and data. One that was
            interrupted is continued.
    """

    def __init__(
        self,
        path: str | Path,
        stage: str,
        settings: Mapping[str, Any],
        data: Any = None,
        renewable: bool = False,
        restart: bool = False,
    ) -> None:
        self.path = Path(path)
        self.stage = stage
        self.renewable, self.restart = renewable, restart
        self.settings: dict[str, Any] = json.loads(
            json.dumps({**settings, "data": fingerprint(data)}, default=str, sort_keys=True)
        )

    @property
    def entry(self) -> dict[str, Any]:
        """What ``run.json`` says of the stage: ``settings``, ``finished`` and facts; empty before its first run."""
        entry: dict[str, Any] = self._stages().get(self.stage, {})
        return entry

    def _stages(self) -> dict[str, Any]:
        return read_json(self.path) if self.path.is_file() else {}

    @property
    def is_finished(self) -> bool:
        """Whether this stage has finished in this folder, with whatever settings."""
        return bool(self.entry.get("finished", False))

    @property
    def is_done(self) -> bool:
        """Whether this stage has finished in this folder with these very settings."""
        return self.is_finished and not self._differences()

    @property
    def starts_anew(self) -> bool:
        """Whether this stage has finished in this folder, and is to be run again from its beginning."""
        return self.is_finished and (self.restart or (self.renewable and self._differences() == ["data"]))

    def _differences(self) -> list[str]:
        """Return the names of the settings that are not those of the folder."""
        stored = self.entry.get("settings", self.settings)
        return [name for name in sorted({*stored, *self.settings}) if stored.get(name) != self.settings.get(name)]

    def check(self) -> None:
        """Raise ``ValueError`` naming the difference if the folder belongs to a run with other settings."""
        names = self._differences()
        if not names or self.starts_anew:
            return
        stored = self.entry["settings"]
        differences = "; ".join(f"{name} was {stored.get(name)!r}, is {self.settings.get(name)!r}" for name in names)
        remedy = ", or restart" if self.is_finished else ", or delete the folder"
        raise UserError(
            f"{self.path.parent} belongs to a {self.stage} run with other settings: {differences}. "
            f"Take another output_dir, or the old settings{remedy}."
        )

    def goes_on(self, epochs: int) -> bool:
        """Return whether up to ``epochs`` epochs are more than the stage, which has finished, was run with."""
        return epochs > self.entry.get("max_epochs", epochs)

    def check_repetition(self, epochs: int) -> None:
        """Raise ``ValueError`` if the stage has finished and up to ``epochs`` epochs would only repeat it."""
        if self.is_finished and not self.goes_on(epochs):
            raise UserError(
                f"{self.stage} has finished in {self.path.parent} after {self.entry.get('epochs')} epochs. Give "
                f"restart True to run it again from its beginning, or more than {self.entry.get('max_epochs')} epochs "
                "to continue it."
            )

    def write(self, finished: bool, **facts: Any) -> None:
        """Store the settings, whether the stage has finished, and facts such as the number of epochs."""
        stages = self._stages()
        stages[self.stage] = {"settings": self.settings, "finished": finished, **facts}
        write_json(self.path, stages)
