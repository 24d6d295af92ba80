"""Pairs of an image and its label map: found by name, judged by their headers."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ...utils.progress import Bar
from ..readers.files import check_image, open_file
from ..readers.formats import UnusableImageError, stem_of
from ..readers.placement import turn_onto_image
from .copies import copies_among
from .naming import LABEL_FILE, composed, label_reason

logger = logging.getLogger(__name__)

NUM_THREADS = 8
CHANNEL = re.compile(r"(.+)_(\d{4})")

Skipped = list[dict[str, str]]


class Pair(NamedTuple):
    """Paths of an image and its label map, relative to the data set's folder."""

    image: PurePosixPath
    label: PurePosixPath


def pair_by_name(
    images: Sequence[PurePosixPath], labels: Sequence[PurePosixPath], image_root: str, label_root: str
) -> tuple[list[Pair], Skipped]:
    """Give each image the label with the same path, else with the same name, else (``case_0000``) that of its case.

    Umlauts count the same in each of their forms. Last, a word such as ``_segmentation`` at the end of a label's name
    is passed over.

    Args:
        images: paths relative to the data set's folder.
        labels: likewise.
        image_root: folder that the paths of images are compared below.
        label_root: likewise for labels.

    Returns:
        the pairs in the order of ``images``, and ``{"path", "reason"}`` of each file without a partner.
    """
    skipped: Skipped = []
    image_of, label_of = _by_key(images, image_root, skipped), _by_key(labels, label_root, skipped)
    partner = {key: key for key in image_of if key in label_of}
    for case_of, name_of in ((_name, _name), (_case, _name), (_name, _without_word), (_case, _without_word)):
        images_left = _alone((case_of(key), key) for key in image_of if key not in partner)
        labels_left = _alone((name_of(key), key) for key in label_of.keys() - set(partner.values()))
        partner |= {key: labels_left[case] for case, key in images_left.items() if case in labels_left}
    cases = {_name(key) for key in partner.values()}
    for key in sorted(image_of.keys() - partner.keys()):
        skipped.append({"path": str(image_of[key]), "reason": _no_label(image_of[key], _name(key), label_root, cases)})
    for key in sorted(label_of.keys() - set(partner.values())):
        reason = f"has no image of the same name in {'the folder' if image_root == '.' else image_root}"
        skipped.append({"path": str(label_of[key]), "reason": reason})
    return [Pair(image_of[key], label_of[partner[key]]) for key in image_of if key in partner], skipped


def _by_key(paths: Sequence[PurePosixPath], root: str, skipped: Skipped) -> dict[str, PurePosixPath]:
    """Index files by their path below ``root`` without suffix; of two with the same, the second is left out."""
    files: dict[str, PurePosixPath] = {}
    for path in paths:
        first = files.setdefault(composed(str(path.relative_to(root).with_name(stem_of(Path(path))))), path)
        if first != path:
            skipped.append({"path": str(path), "reason": f"has the same name as {first.name}, which is used"})
    return files


def _name(key: str) -> str:
    return PurePosixPath(key).name


def _case(key: str) -> str | None:
    """Return the case that an image is the first channel of, in the names of nnU-Net, or ``None``."""
    found = CHANNEL.fullmatch(_name(key))
    return found[1] if found and found[2] == "0000" else None


def _without_word(key: str) -> str | None:
    """Return the name of a label without the word for labels at its end, or ``None`` if there is none."""
    found = re.fullmatch(r"(.+?)[\W_]+([^\W_]+)", _name(key))
    return found[1] if found and LABEL_FILE.fullmatch(found[2]) else None


def _alone(named: Iterable[tuple[str | None, str]]) -> dict[str, str]:
    """Return the keys by name, without those that share their name."""
    named = list(named)
    count = Counter(name for name, _ in named)
    return {name: key for name, key in named if name is not None and count[name] == 1}


def _no_label(path: PurePosixPath, name: str, label_root: str, cases: set[str]) -> str:
    """Return why an image has no label."""
    found = CHANNEL.fullmatch(name)
    if found and found[1] in cases:
        return f"is channel {found[2]} of {found[1]}; one channel is used, {found[1]}_0000"
    return label_reason(path, name) or f"has no label of the same name in {label_root}"


def usable_pairs(
    dataset_dir: Path, pairs: Sequence[Pair], progress: bool = True, accept_unoriented: bool = False
) -> tuple[list[Pair], Skipped]:
    """Keep the pairs whose headers can be read and have the same shape.

    Args:
        dataset_dir: folder that the paths are relative to.
        pairs: what to look at; voxels are not read.
        progress: show a bar.
        accept_unoriented: let images pass whose header has no orientation.

    Returns:
        the usable pairs, and ``{"path", "reason"}`` of each other one, which names the image or its label.
    """
    usable: list[Pair] = []
    skipped = copies_among(dataset_dir, [pair.image for pair in pairs])
    copied = {item["path"] for item in skipped}
    pairs = [pair for pair in pairs if str(pair.image) not in copied]
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        results = pool.map(lambda pair: _reason(dataset_dir, pair, accept_unoriented), pairs)
        for pair, reason in Bar(zip(pairs, results, strict=True), "Comparing", len(pairs), disable=not progress):
            if reason is None:
                usable.append(pair)
            else:
                skipped.append(reason)
    return usable, skipped


def log_skipped(dataset_dir: Path, skipped: Sequence[dict[str, str]]) -> None:
    """Warn of what was left out: how many files, and the first with its reason."""
    if skipped:
        first = skipped[0]
        logger.warning(
            f"{dataset_dir}: {len(skipped)} files were left out; the first is {first['path']}, which {first['reason']}."
            " All are listed under `skipped` in the data list."
        )


def _reason(dataset_dir: Path, pair: Pair, accept_unoriented: bool) -> dict[str, str] | None:
    """Return which file of a pair is of no use and why, or ``None``."""
    path = pair.image
    try:
        image = check_image(open_file(dataset_dir / pair.image), accept_unoriented)
        if image.oddity:
            logger.warning(f"{pair.image}: {image.oddity}.")
        path = pair.label
        label = open_file(dataset_dir / pair.label, is_label=True)
        if label.channels > 1:
            raise UnusableImageError(f"has {label.channels} channels; a label map has one")
        if sorted(label.shape) != sorted(image.shape):
            turn_onto_image(label.shape, label.affine, image.shape, image.affine)
    except UnusableImageError as error:
        return {"path": str(path), "reason": str(error)}
    return None
