"""Self-supervised pre-training of medical image networks as MONAI bundles."""

from __future__ import annotations

__version__ = "0.1.0"
