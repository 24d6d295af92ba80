"""Files that are either complete or absent."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any


def write_atomic(path: str | Path, write: Callable[[IO[bytes]], object]) -> Path:
    """Write a file under a temporary name beside ``path``, flush it to disk, then rename it.

    Args:
        path: the file to write; its folder is made if absent.
        write: is given the open binary file.

    Returns:
        ``path``. A reader sees the old file or the new one, never a part of it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def write_json(path: str | Path, content: Any) -> Path:
    """Write JSON atomically, with keys in the order given and one trailing newline."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    return write_atomic(path, lambda file: file.write(text.encode()))


def read_json(path: str | Path) -> Any:
    """Read JSON; a file that is not JSON raises ``ValueError`` naming it."""
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a JSON file ({error}); delete it and make it again.") from error


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
