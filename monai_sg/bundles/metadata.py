"""The ``metadata.json`` of a bundle: what core, family and instance say, and what follows from the network."""

from __future__ import annotations

from typing import Any

from monai.bundle import ConfigParser

from ..utils.errors import UserError
from .configs import Config
from .sources import Source, merged

INPUTS, OUTPUTS = ("in_channels", "encoder::in_channels"), ("out_channels", "num_classes")


def bundle_metadata(source: Source, inference: Config) -> dict[str, Any]:
    """Return the content of ``configs/metadata.json``.

    Channels and axes of inputs and outputs are those of ``network_def`` in ``inference.json``.

    Args:
        source: the instance.
        inference: its ``inference.json``.

    Raises:
        ValueError: an entry has no place in the order, or the network does not say its channels.
    """
    own = ConfigParser.load_config_file(source.folder / "metadata.json")
    found = merged(source.part("core/metadata.json"), source.part("metadata.json"), own)
    found["stages"] = source.bundle["stages"]
    parser = ConfigParser(inference)
    axes = parser.get_parsed_content("spatial_dims")
    formats = found["network_data_format"]
    for entry, arguments in ((formats["inputs"]["image"], INPUTS), (formats["outputs"]["pred"], OUTPUTS)):
        argument = next((name for name in arguments if f"network_def::{name}" in parser), None)
        if argument is None:
            raise UserError(f"The network of {source.file} does not say its {arguments[0]}; write it as an argument.")
        entry.setdefault("num_channels", parser.get_parsed_content(f"network_def::{argument}"))
        entry["spatial_shape"] = entry["spatial_shape"] * (axes if len(entry["spatial_shape"]) == 1 else 1)
    order = source.part("core/order.json")["metadata"]
    unknown = [name for name in found if name not in order]
    if unknown:
        place = source.path("core/order.json")
        raise UserError(f"metadata.json of {source.name} has {unknown[0]!r}; give it a place in {place}.")
    return {name: found[name] for name in order if name in found}
