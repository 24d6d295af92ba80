"""JSON that people read: what fits on a line stands on one."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 120
INDENT = 4


def json_text(content: Any) -> str:
    """Return JSON with keys in the order given and one trailing newline.

    A list or dictionary stands on one line where it fits in 120 columns; the outermost one is always broken.

    Args:
        content: what ``json`` can write.

    Example:
        >>> print(json_text({"size": [64, 64, 32]}), end="")
        {
            "size": [64, 64, 32]
        }
    """
    return _broken(content, 0) + "\n"


def _text(value: Any, level: int, used: int) -> str:
    """Return a value at an indentation, on one line if ``used`` columns leave room for it and a comma."""
    line = json.dumps(value)
    return line if used + len(line) < WIDTH else _broken(value, level)


def _broken(value: Any, level: int) -> str:
    if not isinstance(value, dict | list) or not value:
        return json.dumps(value)
    inner = INDENT * (level + 1)
    heads = [f"{json.dumps(key)}: " for key in value] if isinstance(value, dict) else [""] * len(value)
    items = value.values() if isinstance(value, dict) else value
    lines = [
        " " * inner + head + _text(item, level + 1, inner + len(head)) for head, item in zip(heads, items, strict=True)
    ]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([opening, ",\n".join(lines), " " * INDENT * level + closing])
