"""The ids of a bundle that a command line may set, read without importing what the bundle runs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from .bundle_folders import bundle_root
from .errors import UserError
from .files import read_json

_ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (.*?) \| [^|]+ \|$")


def id_table(bundle: str) -> list[tuple[str, str, str]]:
    """Return id, default and meaning of what a user may change, from the table in the bundle's README."""
    text = (bundle_root(bundle) / "docs" / "README.md").read_text("utf-8")
    rows = (_ROW.match(line) for line in text.splitlines())
    return [(row[1], row[2].replace("`", "").replace("\\|", "|"), row[3].replace("`", "")) for row in rows if row]


def config_ids(bundle: str) -> set[str]:
    """Return the top-level ids of all configs of a bundle."""
    paths = [path for path in (bundle_root(bundle) / "configs").glob("*.json") if path.name != "metadata.json"]
    return {_top(name) for path in paths for name in read_json(path)}


def _top(name: str) -> str:
    return name.replace("#", "::").partition("::")[0]


def check_ids(bundle: str, names: Iterable[str], flags: Iterable[str] = ()) -> None:
    """Refuse names that are no id of any config of a bundle.

    Ids within components are looked at when the configs are read, see `check_overrides`.

    Args:
        bundle: name of the bundle.
        names: ids as given on a command line, with ``::`` or ``#``.
        flags: arguments of the command, which a mistyped name may mean too.

    Raises:
        UserError: a name is no id; the sentence says the nearest one.
    """
    known = config_ids(bundle)
    for name in names:
        if _top(name) not in known:
            hint = nearest(_top(name), [*flags, *known])
            raise UserError(f"--{name} names no id of {bundle} and no argument{hint} Nothing was run.")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return how a sentence goes on that has refused a name: what it may have meant, or that help lists all."""
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else "; --help lists what there is."
