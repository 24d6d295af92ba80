"""The commands: ``python -m monai_sg COMMAND --help``."""

from __future__ import annotations

import logging
import sys


def main() -> None:
    """Run a command; an error of the user's ends with its sentence instead of a traceback."""
    import fire

    from .bundles import build
    from .commands.agreement import agreement
    from .commands.compare import compare
    from .commands.demo import demo
    from .commands.embed import embed
    from .commands.pretrain import pretrain
    from .commands.probe import probe
    from .commands.scan import scan
    from .commands.weights import inspect
    from .pack import pack

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    commands = {
        "pretrain": pretrain,
        "scan": scan,
        "demo": demo,
        "compare": compare,
        "embed": embed,
        "probe": probe,
        "agreement": agreement,
        "bundles": {"build": build, "pack": pack},
        "weights": {"inspect": inspect},
    }
    try:
        fire.Fire(commands, command=_arguments(sys.argv[1:]), name="monai_sg")
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        sys.exit(f"monai_sg: {sentence}")


def _arguments(given: list[str]) -> list[str]:
    """Turn ``--help`` at the end into the form that also works where an argument is required."""
    return [*given[:-1], "--", "--help"] if given[-1:] in (["--help"], ["-h"]) else given


def _sentence(error: BaseException | None) -> str | None:
    """Return the message of the user's error behind ``error``, which a config parser may have wrapped."""
    found = None
    while error is not None:
        if isinstance(error, ValueError | OSError | FloatingPointError):
            found = str(error)
        error = error.__cause__
    return found


if __name__ == "__main__":
    main()
