"""Build the bundles: merge fragments and recipes from ``bundles/_src`` into flat JSON files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from .utils.bundle_folders import CHECKOUT
from .utils.files import read_json, write_atomic


def build(output: str | Path | None = None, source: str | Path | None = None) -> list[str]:
    """Write every bundle that has a recipe; what is committed is what this writes.

    Args:
        output: folder of the bundles, that of the checkout by default.
        source: folder of fragments and recipes, ``_src`` of the checkout by default.

    Returns:
        the files written.

    Raises:
        FileNotFoundError: ``source`` is absent, as in an installed package.
    """
    source = Path(source) if source is not None else CHECKOUT / "_src"
    output = Path(output) if output is not None else CHECKOUT
    recipes = sorted(source.glob("*/recipe.json"))
    if not recipes:
        raise FileNotFoundError(f"{source} holds no recipes; bundles are built in a checkout of the repository.")
    written = []
    for recipe in recipes:
        written += _build_one(recipe, output / recipe.parent.name)
    return [str(path) for path in written]


def _build_one(recipe_path: Path, bundle: Path) -> list[Path]:
    folder, recipe = recipe_path.parent, read_json(recipe_path)
    written = []
    for name, parts in recipe["files"].items():
        config = ConfigParser.load_config_files([folder / part for part in parts]) if len(parts) > 1 else None
        text = _json_text(read_json(folder / parts[0]) if config is None else config)
        written.append(_write(bundle / "configs" / name, text))
    written.append(_write(bundle / "configs" / "metadata.json", _json_text(read_json(folder / "metadata.json"))))
    fragments = folder.parent / "fragments"
    written.append(_write(bundle / "configs" / "logging.conf", (fragments / "logging.conf").read_text("utf-8")))
    written.append(_write(bundle / "LICENSE", (folder.parent.parent.parent / "LICENSE").read_text("utf-8")))
    text = (folder / "README.md").read_text("utf-8").replace("{{arguments}}", argument_table(folder, recipe))
    written.append(_write(bundle / "docs" / "README.md", text))
    for extra in sorted((folder / "docs").glob("*")):
        written.append(Path(shutil.copyfile(extra, bundle / "docs" / extra.name)))
    return written


def _json_text(content: Any) -> str:
    return json.dumps(content, indent=4) + "\n"


def _write(path: Path, text: str) -> Path:
    return write_atomic(path, lambda file: file.write(text.encode()))


def argument_table(folder: Path, recipe: dict[str, Any]) -> str:
    """Return a Markdown table of the ids a user may change: default per config, and what each means.

    Args:
        folder: the bundle's folder in ``_src``.
        recipe: its recipe; ``first_block`` lists the files that hold the ids, ``../fragments/arguments.json`` and
            ``arguments.json`` say what they mean.

    Raises:
        KeyError: an id is not described.
    """
    meanings: dict[str, str] = read_json(folder / "../fragments/arguments.json") | read_json(folder / "arguments.json")
    shared = ConfigParser.load_config_files([folder / part for part in recipe["first_block"]])
    rows = ["| id | default | meaning |", "|---|---|---|"]
    own = {name: read_json(folder / name) for name in recipe["files"] if (folder / name).is_file()}
    for key, value in shared.items():
        others = [f"{_cell(config[key])} in `{name}`" for name, config in own.items() if key in config]
        rows.append(f"| `{key}` | {', '.join([_cell(value), *others])} | {meanings[key]} |")
    return "\n".join(rows)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return f"by `{value['_target_'].rsplit('.', 1)[-1]}`"
    return f"`{json.dumps(value)}`".replace("|", "\\|")
