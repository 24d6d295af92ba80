"""What file and folder names say: label maps, ids that can be file names, patients."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from ...utils.errors import UserError

LABEL_FOLDER = re.compile(r"(labels?|masks?|seg|segs|segmentations?|groundtruth|gt|annotations?)(tr|ts|val)?", re.I)
LABEL_FILE = re.compile(r"labels?|labelmap|masks?|seg|segs|segmentations?|groundtruth|gt", re.I)
NEGATIONS = ("no", "without")
MAX_ID_LENGTH = 120


def label_reason(path: PurePosixPath, stem: str) -> str | None:
    """Return why a file is taken for a label map or mask, judged by whole words of its folders and name, or ``None``.

    Words are what lies between characters other than letters and digits; ``no_label`` is not a label.

    Args:
        path: path relative to the data set's folder.
        stem: file name without suffix.

    Example:
        >>> label_reason(PurePosixPath("labelsTr/a.nii"), "a")
        "is in the folder 'labelsTr', hence taken for a label map or mask"
        >>> label_reason(PurePosixPath("unmasked/a.nii"), "a") is None
        True
    """
    for folder in path.parts[:-1]:
        if any(LABEL_FOLDER.fullmatch(word) for word in words_of(folder)):
            return f"is in the folder '{folder}', hence taken for a label map or mask"
    words = words_of(stem)
    for before, word in zip(["", *words], words, strict=False):
        if LABEL_FILE.fullmatch(word) and before.lower() not in NEGATIONS:
            return f"has '{word}' in its name, hence taken for a label map or mask"
    return None


def words_of(name: str) -> list[str]:
    """Split a name at everything that is not a letter or digit."""
    return [word for word in re.split(r"[\W_]+", name) if word]


def unique_ids(paths: Sequence[PurePosixPath], stems: Sequence[str]) -> list[str]:
    """Return an id for each path that can be a file name on any system.

    It is the stem, or the whole relative path where several files have the same stem (upper and lower case count as
    the same).

    Args:
        paths: relative paths without suffix.
        stems: last part of each, or another short name.
    """
    names = [safe_name(stem) for stem in stems]
    count = Counter(name.casefold() for name in names)
    names = [
        name if count[name.casefold()] == 1 else safe_name("_".join((*path.parts[:-1], stem)))
        for name, path, stem in zip(names, paths, stems, strict=True)
    ]
    taken: set[str] = set()
    for index, name in enumerate(names):
        number, unique = 1, name
        while unique.casefold() in taken:
            number += 1
            unique = f"{name}_{number}"
        names[index] = unique
        taken.add(unique.casefold())
    return names


def composed(name: str) -> str:
    """Return a name in composed form (NFC), in which umlauts of every system are the same."""
    return unicodedata.normalize("NFC", name)


def safe_name(name: str) -> str:
    """Replace what may not stand in a file name; a long name is cut and marked with its hash."""
    safe = re.sub(r"[^\w.+=@-]+", "_", composed(name)).strip("._-+=@") or "image"
    if len(safe) > MAX_ID_LENGTH:
        safe = f"{safe[: MAX_ID_LENGTH - 9]}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"
    return safe


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a patient pattern; ``ValueError`` with a sentence if it is no regular expression."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise UserError(f"patient_pattern {pattern!r} is not a regular expression: {error}.") from error


def patient_in(path: str, pattern: re.Pattern[str]) -> str | None:
    """Return the patient that ``pattern`` finds in a relative path: its first group, or the whole match."""
    found = pattern.search(path)
    return (found.group(1) if pattern.groups else found.group()) if found else None
