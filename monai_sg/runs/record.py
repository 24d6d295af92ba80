"""What each stage in an output folder was run with, so that two runs are never mixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
        renewable: whether a run that has finished may be followed by one with other settings, as when labels are added.
    """

    def __init__(
        self, path: str | Path, stage: str, settings: Mapping[str, Any], data: Any = None, renewable: bool = False
    ) -> None:
        self.path = Path(path)
        self.stage = stage
        self.renewable = renewable
        self.settings = json.loads(json.dumps({**settings, "data": fingerprint(data)}, default=str))

    def _stages(self) -> dict[str, Any]:
        return read_json(self.path) if self.path.is_file() else {}

    @property
    def is_finished(self) -> bool:
        """Whether this stage has finished in this folder, with whatever settings."""
        return bool(self._stages().get(self.stage, {}).get("finished", False))

    @property
    def is_done(self) -> bool:
        """Whether this stage has finished in this folder with these very settings."""
        return self.is_finished and self._stages()[self.stage]["settings"] == self.settings

    def check(self) -> None:
        """Raise ``ValueError`` naming the difference if the folder belongs to a run with other settings."""
        stored = self._stages().get(self.stage, {}).get("settings")
        if stored is None or stored == self.settings or (self.renewable and self.is_finished):
            return
        names = sorted(set(stored) | set(self.settings))
        differences = [
            f"{name} was {stored.get(name)!r}, is {self.settings.get(name)!r}"
            for name in names
            if stored.get(name) != self.settings.get(name)
        ]
        raise ValueError(
            f"{self.path.parent} belongs to a {self.stage} run with other settings: {'; '.join(differences)}. "
            "Take another output_dir, or the old settings, or delete the folder."
        )

    def write(self, finished: bool, **facts: Any) -> None:
        """Store the settings, whether the stage has finished, and facts such as the number of epochs."""
        stages = self._stages()
        stages[self.stage] = {"settings": self.settings, "finished": finished, **facts}
        write_json(self.path, stages)
