"""The stage between auto-encoder and classification: from images to a table of patterns."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import torch

from ..data.boxes.whole_images import whole_images
from ..data.cache.volume_cache import VolumeCache
from ..data.intensity import IntensityRange, checked_range
from ..data.records import Datalist, PatternTable
from ..discovery.diagnostics import pattern_correlation, shared_bits
from ..discovery.discover import discover
from ..discovery.embed import Embedding, embed
from ..networks.contract import Network
from ..utils.distributed import barrier, rank
from ..utils.files import write_json
from .record import RunRecord

logger = logging.getLogger(__name__)


class DiscoveryStage:
    """Embed all images, find the patterns, write ``patterns.json``, the features and a diagnostic.

    The ranks of a process group share the embedding; the rest is done by rank 0 while the others wait.

    Args:
        network: auto-encoder, ready, on its device.
        datalist: the images by split.
        cache: the images.
        output_dir: gets ``patterns.json``, ``discover/features.npz`` and ``discover/correlation.json``.
        overview_size: voxels per axis of the whole image the auto-encoder sees.
        intensity_range: physical values that become 0 and 1 (HU for CT), or a window per image.
        batch_size: images embedded at once.
        device: where the network is.
        record: the stage's entry in ``run.json``.
        settings: further arguments of `discover`.
    """

    def __init__(
        self,
        network: Network,
        datalist: Datalist,
        cache: VolumeCache,
        output_dir: str | Path,
        overview_size: Sequence[int],
        intensity_range: IntensityRange,
        batch_size: int,
        device: torch.device | str,
        record: RunRecord,
        settings: Mapping[str, Any],
    ) -> None:
        self.network, self.datalist, self.cache = network, datalist, cache
        self.output_dir, self.overview_size = Path(output_dir), tuple(overview_size)
        self.intensity_range = checked_range(intensity_range)
        self.batch_size, self.device, self.record = batch_size, device, record
        self.settings = dict(settings)

    def __call__(self) -> PatternTable:
        """Run the stage and return the table."""
        self.record.check()
        embedding = embed(
            self.network,
            self.cache,
            self.cache.ids,
            self.overview_size,
            self.intensity_range,
            self.batch_size,
            self.device,
        )
        path = self.output_dir / "patterns.json"
        if rank() == 0:
            self._discover(embedding, path)
        barrier()
        return PatternTable.load(path)

    def _discover(self, embedding: Embedding, path: Path) -> None:
        folder = self.output_dir / "discover"
        embedding.save(folder / "features.npz")
        table = discover(self.cache, self.datalist, embedding, path, **self.settings)
        self._write_diagnostics(table, set(embedding.ids), folder / "correlation.json")
        self.record.write(finished=True)
        logger.info(f"The patterns are in {path}.")

    def _write_diagnostics(self, table: PatternTable, embedded: set[str], path: Path) -> None:
        records = whole_images(self.datalist, self.cache, "training")
        training = [record["id"] for record in records if record["id"] in embedded]
        result = pattern_correlation(self.cache, table, self.intensity_range, ids=training, seed=table.seed)
        classes = zip(result.labels.tolist(), result.within.tolist(), result.random.tolist(), strict=True)
        rows = [
            {"label": label, "within": None if isnan(within) else within, "random": None if isnan(other) else other}
            for label, within, other in classes
        ]
        patients = {record["id"]: record["patient"] for record in self.datalist.records}
        shared, of = shared_bits(table, patients)
        logger.info(f"Who knows the patient knows {shared:.2f} of the {of:.2f} bits of the label.")
        write_json(path, {"classes": rows, "shared_bits": shared, "label_bits": of})
