"""What a bundle is made from: files of the core, of its family, and of its own folder."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.utils import merge_kv

from ..utils.errors import UserError
from ..utils.files import read_json

CORE = "core/"
USER = ("core/user.json", "user.json")


@dataclass(frozen=True)
class Source:
    """An instance folder of ``bundles/_src`` with the family that its ``bundle.json`` names.

    Args:
        folder: the instance folder; ``core`` and ``families`` lie beside it.

    Raises:
        ValueError: the family is unknown, or ``bundle.json`` lacks an entry that every bundle has.
    """

    folder: Path

    def __post_init__(self) -> None:
        missing = [name for name in ("family", "network", "stages") if name not in self.bundle]
        if missing:
            raise UserError(f"{self.file} has no {missing[0]!r}; every bundle names family, network and stages.")
        if not (self._family / "family.json").is_file():
            known = ", ".join(sorted(path.parent.name for path in self._families.glob("*/family.json"))) or "none"
            raise UserError(f"{self.file} names the family {self.bundle['family']!r}; there are {known}.")

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.folder.name

    @property
    def file(self) -> Path:
        """Path of ``bundle.json``."""
        return self.folder / "bundle.json"

    @cached_property
    def bundle(self) -> dict[str, Any]:
        """Content of ``bundle.json``: family, network, stages, and ids that differ from the family's."""
        content: dict[str, Any] = read_json(self.file)
        return content

    @cached_property
    def layout(self) -> dict[str, Any]:
        """Content of ``family.json``: ``files`` with the parts of each config, ``overlays`` with their targets."""
        content: dict[str, Any] = read_json(self._family / "family.json")
        return content

    @cached_property
    def first_block(self) -> dict[str, Any]:
        """Ids that a user may change, with the family's defaults, in the order in which configs hold them."""
        return merged(*(self.part(name) for name in USER))

    @cached_property
    def meanings(self) -> dict[str, str]:
        """A description for each id of the first block.

        Raises:
            ValueError: an id has none.
        """
        found: dict[str, str] = self.part("core/arguments.json") | self.part("arguments.json")
        for name in self.first_block:
            if name not in found:
                raise UserError(f"The id {name!r} has no description; add one to {self.path('arguments.json')}.")
        return found

    def part(self, name: str) -> dict[str, Any]:
        """Return the content of a file of the family or, with ``core/`` before its name, of the core."""
        content: dict[str, Any] = read_json(self.path(name))
        return content

    def path(self, name: str) -> Path:
        """Return the path of a file of the family or, with ``core/`` before its name, of the core."""
        return (self.folder.parent if name.startswith(CORE) else self._family) / name

    @property
    def _families(self) -> Path:
        return self.folder.parent / "families"

    @property
    def _family(self) -> Path:
        return self._families / str(self.bundle["family"])


def merged(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return configs merged in order as MONAI merges config files: ``a::b`` goes inside, ``+a`` adds to what is there.

    Only references to other files would be expanded; macros and ``@`` references stay as they are.
    """
    parser = ConfigParser(config={})
    for part in parts:
        for key, value in part.items():
            merge_kv(parser, key, deepcopy(value))
    content: dict[str, Any] = parser.get()
    return content
