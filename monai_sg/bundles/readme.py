"""The README of a bundle: the family's text with the instance's sections, arguments and commands filled in."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..utils.errors import UserError
from .configs import Config
from .sources import Source

RUN = "python -m monai.bundle run"
TORCHRUN = "torchrun --standalone --nnodes=1 --nproc_per_node=2 -m monai.bundle run"
EXPORT = (
    "python -m monai.bundle ckpt_export --net_id network_def --filepath models/model.ts --ckpt_file models/model.pt "
    "--meta_file configs/metadata.json --config_file configs/inference.json"
)
PLACES = {"dataset_dir": "DIR", "output_dir": "OUT", "ckpt_dir": "OUT/models", "pretrained_path": "PRE/models/model.pt"}

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def readme(source: Source, configs: Mapping[str, Config], metadata: Mapping[str, Any]) -> str:
    """Return the text of ``docs/README.md``.

    ``{{name}}`` in the family's ``README.md`` becomes the section ``## Name`` of the instance's, ``{{about}}`` what
    stands there before the first section; the builder itself fills ``title``, ``bundle``, ``arguments``, ``commands``,
    ``several_gpus``, ``export`` and ``references``. A section that the instance leaves out is empty.

    Raises:
        ValueError: the family's text has no place for a section of the instance.
    """
    sections = _sections((source.folder / "README.md").read_text("utf-8"))
    made = {
        "title": metadata["name"],
        "bundle": source.name,
        "arguments": argument_table(source, configs),
        "commands": "\n".join(commands(source, configs)),
        "several_gpus": "\n".join(commands_for_several_gpus(source, configs)),
        "export": EXPORT,
        "references": "\n".join(f"- {reference}" for reference in metadata["references"]),
    }
    template = source.path("README.md").read_text("utf-8")
    lost = [name for name in sections if f"{{{{{name}}}}}" not in template]
    if lost:
        raise UserError(f"{source.path('README.md')} has no {{{{{lost[0]}}}}} for that section of {source.name}.")
    text = _PLACE.sub(lambda found: made.get(found[1], sections.get(found[1], "")), template)
    return re.sub(r"\n{3,}", "\n\n", text)


def _sections(text: str) -> dict[str, str]:
    about, *others = re.split(r"^## ", text, flags=re.MULTILINE)
    titled = [other.partition("\n") for other in others]
    found = {"about": about, **{title.strip().lower().replace(" ", "_"): body for title, _, body in titled}}
    return {name: body.strip() for name, body in found.items() if body.strip()}


def argument_table(source: Source, configs: Mapping[str, Config]) -> str:
    """Return a Markdown table of the ids a user may change: default per config, meaning, and which configs have it."""
    rows = ["| id | default | meaning | in |", "|---|---|---|---|"]
    whole = {name: config for name, config in configs.items() if name not in source.layout["overlays"]}
    for key, meaning in ((key, source.meanings[key]) for key in source.first_block):
        cells = {name.removesuffix(".json"): _cell(config[key]) for name, config in whole.items() if key in config}
        if cells:
            usual = Counter(cells.values()).most_common(1)[0][0]
            others = [f"{cell} in `{name}`" for name, cell in cells.items() if cell != usual]
            where = "all" if len(cells) == len(whole) else ", ".join(f"`{name}`" for name in cells)
            rows.append(f"| `{key}` | {', '.join([usual, *others])} | {meaning} | {where} |")
    return "\n".join(rows)


def _cell(value: Any) -> str:
    if isinstance(value, dict) and "_target_" in value:
        return f"by `{value['_target_'].rsplit('.', 1)[-1]}`"
    return f"`{json.dumps(value)}`".replace("|", "\\|")


def commands(source: Source, configs: Mapping[str, Config]) -> list[str]:
    """Return a command for each stage, then one for each other config that runs by itself and for ``evaluate.json``."""
    overlays = source.layout["overlays"]
    stages = [f"{stage}.json" for stage in source.bundle["stages"]]
    others = [name for name in configs if name not in stages and (name not in overlays or name == "evaluate.json")]
    return [_command(RUN, configs, _files(overlays, name)) for name in sorted([*stages, *others], key=_place(stages))]


def _place(stages: list[str]) -> Any:
    return lambda name: (stages.index(name) if name in stages else len(stages), name != "evaluate.json")


def commands_for_several_gpus(source: Source, configs: Mapping[str, Config]) -> list[str]:
    """Return a command for each overlay ``multi_gpu_*.json``."""
    overlays = source.layout["overlays"]
    named = [(name, f"{name.removeprefix('multi_gpu_')}") for name in overlays if name.startswith("multi_gpu_")]
    return [_command(TORCHRUN, configs, [*_files(overlays, base), name]) for name, base in named]


def _files(overlays: Mapping[str, list[str]], name: str) -> list[str]:
    return [overlays[name][-1], name] if name in overlays else [name]


def _command(program: str, configs: Mapping[str, Config], files: list[str]) -> str:
    """Return a command line with the places that the config needs, or with the settings that a training left."""
    main = configs[files[0]]
    paths = [f"configs/{name}" for name in files]
    config = paths[0] if len(paths) == 1 else '"' + str(paths).replace(" ", "") + '"'
    settled = ("arguments" in configs["train.json"] and files[0] == "inference.json") or "evaluate.json" in files
    places = {name: place for name, place in PLACES.items() if name in main}
    if settled and "arguments" in configs["train.json"]:
        places = {"args_file": "OUT/train/arguments.json", "dataset_dir": "DIR", "output_dir": "OUT"}
    return " ".join([program, "--config_file", config, *(f"--{name} {place}" for name, place in places.items())])
