"""Files as storage and programs spoil them."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn


@st.composite
def spoilt(draw: DrawFn, whole: bytes, header: int | None = None) -> bytes:
    """Return bytes cut short, with some of them changed (mostly in the header), repeated or taken away."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        end = len(content) if header is None or draw(st.integers(0, 4)) == 0 else min(header, len(content))
        if not end:
            break
        place = draw(st.integers(0, end - 1))
        kind = draw(st.sampled_from(("byte", "byte", "byte", "cut", "drop", "double", "zeros", "number")))
        length = draw(st.integers(1, 16))
        if kind == "byte":
            content[place] = draw(st.integers(0, 255))
        elif kind == "number":
            content[place : place + 4] = draw(st.sampled_from((b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\0\0\xc0\x7f")))
        elif kind == "cut":
            del content[place:]
        elif kind == "drop":
            del content[place : place + length]
        elif kind == "double":
            content[place:place] = content[place : place + length]
        else:
            content[place : place + length] = bytes(length)
    return bytes(content)
