"""Look into weight files, and bring those of elsewhere into the form of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..utils.files import absolute


def inspect(file: str) -> str:
    """Say what a weight file holds and what it would fill.

    Args:
        file: plain state dict, such as models/model.pt or train/method.pt of a run.

    Returns:
        a line per fact.
    """
    from ..weights.inspect import inspect_weights

    return "\n".join(inspect_weights(file))


def import_file(
    file: str,
    *,
    network_def: Mapping[str, Any],
    output: str,
    pretrained_part: str | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    licence: str | None = None,
) -> str:
    """Write model.pt and model.json from weights of elsewhere: a released checkpoint, or a ResNet of torchvision.

    Args:
        file: the weights; nothing is downloaded.
        network_def: the network they are of, "{'_target_': 'monai_sg.networks.genesis_unet.GenesisUNet',
            'spatial_dims': 3, 'width': 32}".
        output: folder for the two files.
        pretrained_part: encoder or encoder_decoder where the file does not hold all of the network.
        preprocessing: what the weights were trained on, "{'intensity_range': [-1000, 1000]}".
        licence: of the weights.

    Returns:
        what was found in the file and what was written.
    """
    from ..weights.importing import import_weights

    facts = {"preprocessing": dict(preprocessing or {}), "licence": licence}
    report = import_weights(absolute(file), absolute(output), network_def, pretrained_part, facts)
    return f"{report}\nweights  {absolute(output) / 'model.pt'}"
