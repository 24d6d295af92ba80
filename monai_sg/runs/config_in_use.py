"""The settings of a bundle run as its config has them, overlays and overrides included."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monai.bundle import ConfigParser

# What changes the speed of a run, its places or its log, but not its result; and what a record knows by other means.
# `amp` and `deterministic` belong to the record as they are given: by default they follow the device, as a run may.
UNRECORDED = (
    *("bundle_root", "cache_dir", "ckpt_dir", "dataset_dir", "datalist", "output_dir", "run_dir", "network_path"),
    *("command_line", "compile", "device", "is_not_rank0", "model", "num_workers", "sw_batch_size"),
    *("_meta_", "arguments", "displayable_configs", "imports", "initialize", "preflight", "run", "finalize"),
    *("record", "restart", "setting_check", "settings", "stage", "probe_boxes", "probe_interval", "target_datalists"),
    *("epochs", "images", "pretrained_path"),
)
UNRECORDED_INSIDE = frozenset(["num_workers", "train::dataloader", "validate::dataloader", "validate::sampler"])
UNRECORDED_INSIDE |= {f"{part}::dataset::data" for part in ("train", "validate")} | {"train::trainer::max_epochs"}
# MONAI Label puts it before our handlers when there are weights to go on from.
OF_LABEL = "CheckpointLoader"
# What a network was trained by.
TRAINING = (
    *("pretrained_part", "method", "corruption", "loss", "losses", "class_weights", "multi_label", "optimizer"),
    *("train::random_transforms", "foreground_share", "patches_per_volume"),
)
LOGGING = ("StatsHandler", "TensorBoardImageHandler", "TensorBoardStatsHandler", "Progress", "ProgressBar", "History")


def config_in_use() -> dict[str, Any]:
    """Return the config that is being resolved, overlays and overrides included, before its expressions are evaluated.

    MONAI gives a component its own arguments only, so the parser is looked for among those who called it.

    Raises:
        LookupError: no config is being resolved.
    """
    frame = inspect.currentframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, ConfigParser):
            config: dict[str, Any] = caller.get()
            return config
        frame = frame.f_back
    raise LookupError("No config is being resolved; only a component of a bundle config has one.")


def settings_in_use(facts: Mapping[str, Any] | None = None, without: Sequence[str] = ()) -> dict[str, Any]:
    """Return id to value for all that changes the result of the run whose config is being resolved.

    Args:
        facts: what the config does not show, such as the hash of a file of weights.
        without: further ids that do not change the result of this stage.
    """
    left_out = {*UNRECORDED, *without}
    config = {name: value for name, value in config_in_use().items() if name not in left_out}
    return {**dict(_flat("", config)), **(facts or {})}


def parts_in_use(names: Sequence[str] = TRAINING) -> dict[str, Any]:
    """Return parts of the config that is being resolved as it has them, such as the loss and the augmentation.

    What refers to a plain value, such as ``@learning_rate``, has that value; references to components and expressions
    stay as they are written.

    Args:
        names: ids, by default those of a training; one that the config does not have is left out.
    """
    config = ConfigParser(config_in_use())
    return {name: _filled(config, config.get(name)) for name in names if name in config}


def _filled(config: ConfigParser, value: Any) -> Any:
    """Return a value of a config with references to plain values followed."""
    if isinstance(value, Mapping):
        return {name: _filled(config, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(config, inner) for inner in value]
    if isinstance(value, str) and value.startswith("@") and value[1:] in config:
        found = _filled(config, config.get(value[1:]))
        is_plain = not isinstance(found, Mapping) and not (isinstance(found, str) and found.startswith(("$", "@", "%")))
        return found if is_plain else value
    return value


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the id and value of every leaf that is recorded."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            own = f"{name}::{key}" if name else str(key)
            if not UNRECORDED_INSIDE & {key, own}:
                yield from _flat(own, inner)
    elif isinstance(value, list) and any(isinstance(inner, Mapping | list) for inner in value):
        for index, inner in enumerate(inner for inner in value if not _is_passed_over(inner)):
            yield from _flat(f"{name}::{index}", inner)
    else:
        yield name, value


def _is_passed_over(value: Any) -> bool:
    name = str(value.get("_target_", "")).rpartition(".")[2] if isinstance(value, Mapping) else ""
    return name in (*LOGGING, OF_LABEL)
