"""Files that are either complete or absent."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from .errors import UserError


def absolute(path: str | Path) -> Path:
    """Return a path from the root, with ``~`` expanded and links followed."""
    return Path(path).expanduser().resolve()


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


def write_csv(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write a table as CSV atomically, with a line of column names above the rows.

    Args:
        path: the file to write; its folder is made if absent.
        rows: column to value; columns stand in the order in which they first appear, absent values stay empty.

    Returns:
        ``path``.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_atomic(path, lambda file: file.write(text.getvalue().encode()))


def read_json(path: str | Path) -> Any:
    """Read JSON; a file that is not JSON raises ``ValueError`` naming it."""
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, a number of thousands of figures, or too deep
        raise UserError(f"{path} is not a JSON file ({error}); delete it and make it again.") from error


def read_object(path: str | Path) -> dict[str, Any]:
    """Read a JSON file that holds an object; one that holds something else raises ``ValueError`` naming it."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {str(content)[:40]!r}, not a JSON object; delete it and make it again.")
    return content


def read_csv(path: str | Path, skipinitialspace: bool = False) -> list[dict[str, str]]:
    """Read a table with a line of column names, by column and row.

    Args:
        path: a CSV file in UTF-8; spreadsheets call it "CSV UTF-8".
        skipinitialspace: leave out spaces after commas.

    Raises:
        UserError: it is no such text, or a line has fewer or more cells than there are columns.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, skipinitialspace=skipinitialspace))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no table of text ({error}); save it as CSV in UTF-8, with commas.") from error
    for name in rows[0] if rows else []:
        if name is not None and not name.isprintable():
            raise UserError(f"{path} has the column {name!r}, which holds signs that cannot be printed; correct it.")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            more = "more" if None in row else "fewer"
            columns = len(row) - (None in row)
            raise UserError(f"{path}, row {number}, has {more} cells than the {columns} columns; write one for each.")
    return rows


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
