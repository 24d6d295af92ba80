"""The commands: ``python -m monai_sg COMMAND --help``."""

from __future__ import annotations

import logging
import sys


def main() -> None:
    """Run a command; an error of the user's ends with its sentence instead of a traceback."""
    import fire

    from .bundles.build import build
    from .commands.agreement import agreement
    from .commands.compare import compare
    from .commands.demo import demo
    from .commands.embed import embed
    from .commands.pretrain import pretrain
    from .commands.probe import probe
    from .commands.scan import scan
    from .commands.weights import inspect
    from .pack import pack
    from .runs.reason import reason_of

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
    except (Exception, KeyboardInterrupt) as error:
        reason = reason_of(error)
        if reason is None:
            raise
        sys.exit(f"monai_sg: {reason}")


def _arguments(given: list[str]) -> list[str]:
    """Turn ``--help`` at the end into the form that also works where an argument is required."""
    return [*given[:-1], "--", "--help"] if given[-1:] in (["--help"], ["-h"]) else given


if __name__ == "__main__":
    main()
