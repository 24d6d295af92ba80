"""The words of a command line, read by the signature and the docstring of the function that they call."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import json
import re
import shutil
import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

from ..utils.bundle_ids import check_ids, id_table, nearest
from ..utils.errors import UserError

WORDS = {"true": True, "false": False, "null": None}
WIDEST = 120
COLUMN = 26
SET_BY_FLAGS = ("bundle_root", "dataset_dir", "output_dir", "ckpt_dir")
VERBOSE = "also say what MONAI, ignite, pydicom and other packages say"


class CommandLine:
    """The arguments of a command, out of its function.

    Keyword arguments are flags; ``**overrides`` takes any ``--id value`` of a bundle.

    Args:
        name: of the command.
        function: is described in Google style.
        bundle: whose ids may be set, unless the function has an argument of that name.
    """

    def __init__(self, name: str, function: Callable[..., Any], bundle: str | None = None) -> None:
        self.name, self.function = name, function
        parameters = inspect.signature(function).parameters
        self.takes_ids = any(item.kind is item.VAR_KEYWORD for item in parameters.values())
        self.parameters = {key: item for key, item in parameters.items() if item.kind is not item.VAR_KEYWORD}
        self.bundle = self.parameters["bundle"].default if "bundle" in self.parameters else bundle

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        """Return the arguments of a call; ``--help`` prints what there is and ends.

        Raises:
            UserError: an argument is absent, unknown or of another type.
        """
        if {"--help", "-h"} & set(words):
            chosen, _ = _split(list(words))
            self.bundle = chosen.get("bundle", self.bundle)
            self.parser().parse_args(["--help"])
        known, rest = self.parser().parse_known_args([_underscored(word) for word in words])
        ids, left = _split(rest)
        arguments = {name: value for name, value in vars(known).items() if value is not inspect.Parameter.empty}
        bundle = arguments.get("bundle", self.bundle)
        if left:
            raise UserError(f"{left[0]!r} belongs to no argument of monai-sg {self.name}; values follow a --name.")
        if not self.takes_ids:
            for name in ids:
                raise UserError(f"monai-sg {self.name} has no argument --{name}{nearest(name, self.parameters)}")
        elif bundle is not None:
            check_ids(bundle, ids, self.parameters)
        return {**arguments, **{name: _value(text) for name, text in ids.items()}}

    def parser(self) -> argparse.ArgumentParser:
        """Return the parser of the arguments, with the ids of the bundle below them."""
        summary, meanings = described(self.function)
        parser = _Parser(
            prog=f"monai-sg {self.name}",
            description=summary,
            epilog=self._ids(),
            allow_abbrev=False,
            argument_default=inspect.Parameter.empty,
            formatter_class=partial(argparse.RawDescriptionHelpFormatter, max_help_position=COLUMN, width=_width()),
        )
        for name, item in self.parameters.items():
            _add(parser, name, item, meanings.get(name, ""))
        parser.add_argument("--verbose", action="store_true", default=False, help=VERBOSE)
        if self.takes_ids:
            parser.usage = f"{parser.format_usage()[7:].rstrip()} [--id value ...]"
        return parser

    def _ids(self) -> str:
        if not self.takes_ids or self.bundle is None:
            return ""
        lines = [f"ids of {self.bundle} that --id value may set, with their defaults:"]
        for name, default, meaning in id_table(self.bundle):
            if name in SET_BY_FLAGS:
                continue
            text = meaning if "$" in default else f"{meaning} ({default})"
            start = f"  {name} ".ljust(COLUMN)
            if len(start) > COLUMN:
                lines.append(start.rstrip())
                start = " " * COLUMN
            lines += textwrap.wrap(text, _width(), initial_indent=start, subsequent_indent=" " * COLUMN)
        return "\n".join([*lines, "and any other id of its configs, such as --train::dataloader::num_workers 4"])


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with a sentence instead of the usage."""
        raise UserError(f"{self.prog}: {message}; `{self.prog} --help` says more.")


def described(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return what a Google docstring says before its sections, and of each argument."""
    text = inspect.getdoc(function) or ""
    head, _, rest = text.partition("\nArgs:\n")
    block = re.split(r"\n(?=\S)", rest, maxsplit=1)[0]
    found = re.findall(r"^    (\w+): ((?:.*)(?:\n {8}.*)*)", block, re.MULTILINE)
    return head.strip(), {name: " ".join(meaning.split()) for name, meaning in found}


def _add(parser: argparse.ArgumentParser, name: str, item: inspect.Parameter, meaning: str) -> None:
    """Add an argument of the function: a flag if it has a name only, else a word."""
    kind, default = str(item.annotation), item.default
    shown = "" if default in (None, False, ()) or item.default is item.empty else f" ({default})"
    options: dict[str, Any] = {"help": f"{meaning}{shown}".replace("%", "%%")}
    if kind.startswith("bool"):
        parser.add_argument(f"--{name}", nargs="?", const=True, type=_switch, metavar="True|False", **options)
        return
    options |= {"type": _number(int)} if kind.startswith("int") else {}
    options |= {"type": _number(float)} if kind.startswith("float") else {}
    options |= {"type": _mapping} if kind.startswith("Mapping") else {}
    options |= {"action": "append", "default": []} if kind.startswith("Sequence[str") else {}
    options |= {"type": _numbers} if kind.startswith("Sequence[int") else {}
    if item.kind is item.KEYWORD_ONLY:
        parser.add_argument(f"--{name}", required=item.default is item.empty, metavar=name.upper(), **options)
    else:
        parser.add_argument(name, metavar=name.upper(), **options)


def _number(kind: type[int] | type[float]) -> Callable[[str], float | int | None]:
    def read(text: str) -> float | int | None:
        return None if text.lower() in ("none", "null") else kind(text)

    read.__name__ = "whole number" if kind is int else "number"
    return read


def _switch(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")
    return text.lower() == "true"


def _numbers(text: str) -> list[int]:
    found = _value(text)
    numbers = found if isinstance(found, list) else [found]
    if not numbers or not all(type(number) is int for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor a list such as [5,50]")
    return numbers


def _mapping(text: str) -> dict[str, Any]:
    found = _value(text)
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no mapping such as {{'name': 1}}")
    return found


def _value(text: str) -> Any:
    """Return what a text means: a number, a list, a mapping, a word; JSON too, as it stands in model.json."""
    from fire.parser import DefaultParseValue

    if text.startswith(("{", "[")):
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(text)
    return WORDS[text.lower()] if text.lower() in WORDS else DefaultParseValue(text)


def _split(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the values of ``--name value`` and ``--name=value``, ``True`` without one, and the words left over."""
    values: dict[str, str] = {}
    left = []
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            left.append(word)
            continue
        name, equals, value = _underscored(word)[2:].partition("=")
        has_value = bool(words) and not words[0].startswith("--")
        values[name] = value if equals else words.pop(0) if has_value else "True"
    return values, left


def _underscored(word: str) -> str:
    """Return a flag with underscores in its name for hyphens."""
    name, equals, value = word.partition("=")
    return f"--{name[2:].replace('-', '_')}{equals}{value}" if word.startswith("--") else word


def _width() -> int:
    return min(shutil.get_terminal_size().columns, WIDEST)
