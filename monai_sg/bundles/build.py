"""Build the bundles: flat JSON and README from ``bundles/_src``."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..utils.bundle_folders import CHECKOUT
from ..utils.errors import AbsentError
from ..utils.files import write_atomic
from ..utils.json_text import json_text
from .configs import bundle_configs
from .metadata import bundle_metadata
from .readme import readme
from .sources import Source


def build(output: str | Path | None = None, source: str | Path | None = None) -> list[str]:
    """Write every bundle that has a folder with a ``bundle.json``; what is committed is what this writes.

    Args:
        output: folder of the bundles, that of the checkout by default.
        source: folder with ``core``, ``families`` and a folder per bundle, ``_src`` of the checkout by default.

    Returns:
        the files written.

    Raises:
        FileNotFoundError: ``source`` is absent, as in an installed package.
        ValueError: something in ``source`` does not fit together.
    """
    source = Path(source) if source is not None else CHECKOUT / "_src"
    output = Path(output) if output is not None else CHECKOUT
    instances = sorted(path.parent for path in source.glob("*/bundle.json"))
    if not instances:
        raise AbsentError(f"{source} holds no bundle.json; bundles are built in a checkout of the repository.")
    return [str(path) for folder in instances for path in _build_one(Source(folder), output / folder.name)]


def _build_one(source: Source, bundle: Path) -> list[Path]:
    configs = bundle_configs(source)
    metadata = bundle_metadata(source, configs["inference.json"])
    texts = {f"configs/{name}": json_text(config) for name, config in configs.items()}
    texts["configs/metadata.json"] = json_text(metadata)
    texts["configs/logging.conf"] = source.path("core/logging.conf").read_text("utf-8")
    texts["docs/README.md"] = readme(source, configs, metadata)
    texts["LICENSE"] = (source.folder.parents[2] / "LICENSE").read_text("utf-8")
    written = [_write(bundle / name, text) for name, text in texts.items()]
    extras = sorted((source.folder / "docs").glob("*"))
    return [*written, *(Path(shutil.copyfile(extra, bundle / "docs" / extra.name)) for extra in extras)]


def _write(path: Path, text: str) -> Path:
    return write_atomic(path, lambda file: file.write(text.encode()))
