"""What an error was raised from."""

from __future__ import annotations

from collections.abc import Iterator


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, outermost first; each once, as a library may close the circle."""
    seen: list[BaseException] = []
    while error is not None and not any(error is other for other in seen):
        yield error
        seen.append(error)
        error = error.__cause__
