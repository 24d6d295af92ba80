"""The configs of a bundle: core, family and instance merged, unused ids left out, all in one order."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from monai.bundle import ReferenceResolver

from ..utils.errors import UserError
from .sources import CORE, Source, merged

Config = dict[str, Any]

OF_MONAI = ("imports", "initialize", "run", "finalize")
REQUIRED = ("bundle_root", "device", "dataset_dir")
PARTS = ("train", "validate")


def bundle_configs(source: Source) -> dict[str, Config]:
    """Return the content of each config of a bundle.

    Configs that run by themselves hold core, family and instance merged, without the ids of the first block that
    neither they nor an overlay of theirs refer to. Overlays hold what they change; what the core says about several
    processes is kept where the overlay's targets have the id.

    Raises:
        ValueError: the instance or an overlay names an id that is not there, or an id has no place in the order.
    """
    targets: dict[str, list[str]] = source.layout["overlays"]
    files: dict[str, list[str]] = source.layout["files"]
    whole = {name: _whole(source, parts) for name, parts in files.items() if name not in targets}
    _set_own_ids(source, whole)
    overlays = {name: _overlay(source, files[name], [whole[each] for each in targets[name]]) for name in targets}
    for name, overlay in overlays.items():
        _check_overlay(source, name, overlay, {each: whole[each] for each in targets[name]})
    over = {name: [overlays[each] for each in targets if name in targets[each]] for name in whole}
    used = {name: _without_unused(source, config, over[name]) for name, config in whole.items()}
    return {name: _ordered(source, name, (used | overlays)[name]) for name in files}


def top_of(key: str) -> str:
    """Return the outermost id of a key such as ``+train::handlers``."""
    return key.removeprefix("+").split("::")[0]


def _whole(source: Source, parts: Iterable[str]) -> Config:
    own = {name: value for name, value in source.bundle.get("ids", {}).items() if top_of(name) in source.first_block}
    network = {"network_def": source.bundle["network"]}
    return merged(source.first_block, own, network, *(source.part(name) for name in parts))


def _set_own_ids(source: Source, configs: Mapping[str, Config]) -> None:
    """Give each config those ids of the instance that it has; those of the first block are there already."""
    for key, value in source.bundle.get("ids", {}).items():
        having = [config for config in configs.values() if _has(config, key)]
        if not having:
            known = sorted({name for config in configs.values() for name in config})
            near = difflib.get_close_matches(top_of(key), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near and near[0] != top_of(key) else "."
            raise UserError(
                f"{source.file} sets {key!r}, an id that its family {source.bundle['family']!r} lacks{hint}"
            )
        if top_of(key) not in source.first_block:
            for config in having:
                config.update(merged(config, {key: value}))


def _has(config: Config, key: str) -> bool:
    """Whether a config has an id, or a component that may take it as a further argument."""
    *outer, last = key.removeprefix("+").split("::")
    inside: Any = config
    for name in outer:
        inside = inside.get(name) if isinstance(inside, dict) else None
    return isinstance(inside, dict) and (last in inside or "_target_" in inside)


def _overlay(source: Source, parts: Iterable[str], targets: Iterable[Config]) -> Config:
    """Merge the parts of an overlay; of the core's parts only what all targets have, whatever that is."""
    found: Config = {}
    targets = list(targets)
    for name in parts:
        for key, value in source.part(name).items():
            if not name.startswith(CORE) or top_of(key) in OF_MONAI or all(_has(each, key) for each in targets):
                found[key] = value
    return found


def _check_overlay(source: Source, name: str, overlay: Config, targets: Mapping[str, Config]) -> None:
    for key in overlay:
        if top_of(key) in (*OF_MONAI, *source.first_block):
            continue
        for target, config in targets.items():
            if not _has(config, key):
                raise UserError(f"{source.path(name)} sets {key!r}, an id that {target} lacks.")


def references(value: Any) -> Iterator[str]:
    """Yield the outermost ids that a value refers to."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from references(inner)
    elif isinstance(value, str):
        named = [value.removeprefix("%")] if value.startswith("%") else ReferenceResolver.match_refs_pattern(value)
        yield from (top_of(name) for name in named)


def _without_unused(source: Source, config: Config, overlays: Iterable[Config]) -> Config:
    """Leave out what a user could change without any effect on this config or an overlay of it."""
    block, overlays = source.first_block, list(overlays)
    everything = [(top_of(key), value) for each in (config, *overlays) for key, value in each.items()]
    waiting = [*REQUIRED, *(name for top, value in everything if top not in block for name in references(value))]
    used: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in block and name not in used:
            used.add(name)
            waiting += [other for top, value in everything if top == name for other in references(value)]
    return {name: value for name, value in config.items() if name in used or name not in block}


def _ordered(source: Source, name: str, config: Config) -> Config:
    order = source.part("core/order.json")
    ids = [*source.first_block, *order["ids"]]
    unknown = [key for key in config if top_of(key) not in ids]
    if unknown:
        raise UserError(f"{name} has the id {unknown[0]!r}; give it a place in {source.path('core/order.json')}.")
    found = {key: config[key] for key in sorted(config, key=lambda key: ids.index(top_of(key)))}
    inner = {key: index for index, key in enumerate(order["train_and_validate"])}
    for part in PARTS:
        if part in found:
            found[part] = dict(sorted(found[part].items(), key=lambda item: inner.get(item[0], len(inner))))
    return found
