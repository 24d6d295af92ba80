"""Names that other checkpoints give to the parameters of our networks, as rules of renaming."""

from __future__ import annotations

import re

Rules = tuple[tuple[str, str], ...]

# Models Genesis: blocks of two units `ops.0` and `ops.1`, each a convolution `conv1` and a batch norm `bn1`.
GENESIS: Rules = (
    (r"^down_tr64\.ops\.", "encoder.0."),
    (r"^down_tr128\.ops\.", "encoder.1."),
    (r"^down_tr256\.ops\.", "encoder.2."),
    (r"^down_tr512\.ops\.", "encoder.3."),
    (r"^up_tr256\.", "decoder.0."),
    (r"^up_tr128\.", "decoder.1."),
    (r"^up_tr64\.", "decoder.2."),
    (r"^(decoder\.\d)\.ops\.", r"\1.convolutions."),
    (r"^(decoder\.\d)\.up_conv\.", r"\1.up."),
    (r"^out_tr\.final_conv\.", "head."),
    (r"\.conv1\.", ".conv."),
    (r"\.bn1\.", ".adn.N."),
)

# torchvision, and MONAI's own MedicalNet weights; `fc` classifies ImageNet and is left out.
RESNET: Rules = ((r"^(conv1|bn1|layer[1-4])\.", r"encoder.\1."),)


def renamed(name: str, rules: Rules) -> str:
    """Apply the rules, regular expressions with their replacements, one after the other."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name
