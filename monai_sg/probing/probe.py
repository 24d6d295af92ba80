"""Measure during a pre-training how well its frozen features tell labelled boxes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path

from ignite.engine import Engine, Events
from monai.engines import Evaluator

from ..data.boxes.labelled_boxes import read_labelled_boxes
from ..data.cache.volume_cache import VolumeCache
from ..data.intensity import IntensityRange
from ..data.records import Datalist
from ..networks.contract import Network
from ..utils.distributed import rank
from ..utils.errors import UserError
from ..utils.files import write_csv
from .frozen_probe import FrozenProbe, Scores

logger = logging.getLogger(__name__)

METRICS = ("knn_accuracy", "linear_accuracy")


class Probe:
    """Every few epochs, add the balanced accuracies of a `FrozenProbe` to the metrics of the validator.

    They are ``probe_knn_accuracy`` and ``probe_linear_accuracy``; `History` and the handlers of the validator that come
    later write them like any other metric. What needs no pre-training is measured once, before the first of them. The
    training is not disturbed: the network is copied and no global random generator is used. Attached to the validator;
    rank 0 measures.

    Args:
        network: what is trained.
        boxes: file with labelled boxes, see `read_labelled_boxes`.
        cache: the images.
        datalist: the images by split; ``None`` where crops come without their images.
        crop_size: voxels that a box is resized to, unless the file says it.
        overview_size: voxels that a whole image is resized to.
        intensity_range: physical values that become 0 and 1, or a window per image.
        path: CSV file for the scores of what needs no pre-training.
        interval: epochs between two measurements.
        seed: of the random network.
        clean: gives the network, for a while, the statistics of batch norm that images as they are have; all ranks
            enter it. See `Recalibration.clean`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: there are no images, the file is damaged or does not fit them, or boxes of a class are missing.
    """

    def __init__(
        self,
        network: Network,
        boxes: str | Path,
        cache: VolumeCache,
        datalist: Datalist | None,
        crop_size: Sequence[int],
        overview_size: Sequence[int],
        intensity_range: IntensityRange,
        path: str | Path,
        interval: int = 10,
        seed: int = 0,
        clean: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        if datalist is None:
            raise UserError(
                f"The boxes of {boxes} lie in images, but this training reads crops that come without theirs. "
                "Leave out probe_boxes; `monai-sg probe` measures the finished weights on images."
            )
        found = read_labelled_boxes(boxes, cache, datalist)
        size = overview_size if found.of_whole_images else found.crop_size or crop_size
        self.probe = FrozenProbe(cache, found, size, intensity_range, seed)
        self.network = network
        self.path = Path(path)
        self.interval = interval
        self.clean = clean
        self._is_first = True

    def attach(self, engine: Evaluator) -> None:
        """Attach to a validator."""
        engine.add_event_handler(Events.STARTED, self.forget)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def forget(self, engine: Engine) -> None:
        """Remove the accuracies of an earlier epoch."""
        for name in METRICS:
            engine.state.metrics.pop(f"probe_{name}", None)

    def __call__(self, engine: Engine) -> None:
        """Measure, if it is time."""
        if engine.state.epoch % self.interval != 0:
            return
        with self.clean():
            if rank() == 0:
                self._measure(engine)

    def _measure(self, engine: Engine) -> None:
        if self._is_first:
            self._is_first = False
            write_scores(self.path, baselines := self.probe.baselines(self.network))
            for line in score_lines(baselines):
                logger.info(line)
        scores = asdict(self.probe.network_scores(self.network))
        engine.state.metrics.update({f"probe_{name}": scores[name] for name in METRICS})
        logger.info(
            f"Frozen features in epoch {engine.state.epoch}: balanced accuracy "
            f"{scores['knn_accuracy']:.3f} (nearest neighbours), {scores['linear_accuracy']:.3f} (logistic regression)."
        )


def score_lines(scores: Mapping[str, Scores]) -> list[str]:
    """Return scores as a table for reading."""
    lines = [f"{'':<24}{'5 nearest neighbours':>24}{'logistic regression':>24}"]
    lines.append(f"{'features':<24}" + f"{'balanced':>16}{'AUC':>8}" * 2)
    for name, row in scores.items():
        values = asdict(row)
        numbers = [values["knn_accuracy"], values["knn_auc"], values["linear_accuracy"], values["linear_auc"]]
        lines.append(f"{name:<24}" + "".join(f"{n:>{w}.3f}" for n, w in zip(numbers, (16, 8, 16, 8), strict=True)))
    return lines


def write_scores(path: str | Path, scores: Mapping[str, Scores]) -> Path:
    """Write one row of scores per kind of features to a CSV file, atomically."""
    return write_csv(path, [{"features": name, **asdict(row)} for name, row in scores.items()])
