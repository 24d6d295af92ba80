"""What a command leaves behind."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Written(dict[str, Any]):
    """Files by what they are, such as ``weights``; printed with a line per file.

    Args:
        table: lines to be read before them.
        files: kind to a path or to several.
    """

    def __init__(self, table: Iterable[str] = (), **files: Path | Iterable[Path]) -> None:
        super().__init__(files)
        self.table = list(table)

    def __str__(self) -> str:
        """Return the table and a line per file."""
        lines = [*self.table, ""] if self.table else []
        for kind, files in self.items():
            paths = [files] if isinstance(files, Path) else list(files)
            lines += [f"{kind:<12}{path}" for path in paths]
        return "\n".join(lines)
