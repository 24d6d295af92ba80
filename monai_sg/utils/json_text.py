"""JSON that people read: what fits on a line stands on one."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 120
INDENT = 4
TARGET = "_target_"


def json_text(content: Any) -> str:
    """Return JSON with keys in the order given and one trailing newline.

    A list or dictionary stands on one line where it fits in 120 columns; the outermost one is always broken. Of a
    component that does not fit, the class has a line of its own and the arguments fill lines, as in code; so do the
    entries of dictionaries inside others. Members of the outermost dictionaries and of lists have a line each.

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
    texts = [head + _text(item, level + 1, inner + len(head)) for head, item in zip(heads, items, strict=True)]
    if isinstance(value, dict) and (level > 1 or TARGET in value):
        texts = _filled(texts, WIDTH - inner)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([opening, ",\n".join(" " * inner + text for text in texts), " " * INDENT * level + closing])


def _filled(texts: list[str], width: int) -> list[str]:
    """Put short members on the same line as long as a comma has room behind them; a class stays alone."""
    lines: list[str] = []
    for text in texts:
        alone = not lines or "\n" in text or "\n" in lines[-1] or lines[-1].startswith(json.dumps(TARGET))
        if alone or len(lines[-1]) + len(text) + len(", ,") > width:
            lines.append(text)
        else:
            lines[-1] += f", {text}"
    return lines
