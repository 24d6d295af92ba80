"""The commands: ``monai-sg COMMAND --help``, or ``python -m monai_sg COMMAND --help``."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from .commands.words import CommandLine, described
from .runs.reason import reason_of
from .utils.errors import UserError
from .utils.log import set_up_log

# Name of the command, and the function of its module; importing these imports nothing that is slow.
COMMANDS = {
    "scan": "scan.scan",
    "pretrain": "pretrain.pretrain",
    "finetune": "finetune.finetune",
    "evaluate": "evaluate.evaluate",
    "predict": "predict.predict",
    "compare": "compare.compare",
    "embed": "embed.embed",
    "probe": "probe.probe",
    "agreement": "agreement.agreement",
    "demo": "demo.demo",
    "weights inspect": "weights.inspect",
    "weights import": "weights.import_file",
    "bundles build": "bundles.build",
    "bundles pack": "bundles.pack",
}


def main() -> None:
    """Run a command; an error of the user's ends with its sentence instead of a traceback."""
    try:
        result = _run(sys.argv[1:])
    except (Exception, KeyboardInterrupt) as error:
        reason = reason_of(error)
        if reason is None:
            raise
        sys.exit(f"monai-sg: {reason}")
    if result is not None:
        sys.stdout.write(f"{result}\n")


def _run(words: Sequence[str]) -> Any:
    """Call the function that the words name, with their arguments, and return what it returns."""
    if not words or words[0] in ("--help", "-h", "help"):
        return _overview()
    name = next((name for name in COMMANDS if name.split() == list(words[: len(name.split())])), None)
    if name is None:
        return _unknown(words)
    line = _line(name)
    arguments = line.read(words[len(name.split()) :])
    set_up_log(arguments.pop("verbose"))
    return line.function(**arguments)


def _line(name: str) -> CommandLine:
    module_name, function = COMMANDS[name].split(".")
    module = import_module(f".commands.{module_name}", __package__)
    return CommandLine(name, getattr(module, function), getattr(module, "BUNDLE", None))


def _overview() -> str:
    """Return the first sentence of every command."""
    sentences = {name: described(_line(name).function)[0].partition("\n\n")[0] for name in COMMANDS}
    lines = [f"  {name:<18}{' '.join(sentence.split())}" for name, sentence in sentences.items()]
    usage = "usage: monai-sg COMMAND [--argument value ...]; `monai-sg COMMAND --help` says what it takes"
    return "\n".join([usage, "", *lines])


def _unknown(words: Sequence[str]) -> str:
    """Return the help of a group of commands, or refuse what is no command."""
    group = [name for name in COMMANDS if name.startswith(f"{words[0]} ")]
    given = " ".join(words[: 2 if group else 1])
    if (group and len(words) == 1) or (words[-1] in ("--help", "-h") and group):
        return _overview()
    found = difflib.get_close_matches(given, COMMANDS, n=1, cutoff=0.5)
    hint = f"did you mean {found[0]}?" if found else f"there are {', '.join(COMMANDS)}."
    raise UserError(f"{given!r} is no command; {hint}")


if __name__ == "__main__":
    main()
