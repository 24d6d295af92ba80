"""Which patient an image shows, from what its file says, or from its name."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from ..readers.formats import stem_of
from .naming import compile_pattern, composed, patient_in, safe_name

logger = logging.getLogger(__name__)

PLACEHOLDERS = {"", "0", "none", "unknown", "anon", "anonymous", "anonymized", "anonymised"}
DATE = re.compile(r"(?<!\d)(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])(?!\d)(?:T?\d{4,6}(?!\d))?")
SESSION = re.compile(
    r"(?<![a-z0-9])(?:ses|session|visit|timepoint|tp|run|acq|rec|echo)[-_ ]?[0-9a-z]+(?![a-z0-9])", re.IGNORECASE
)
SUBJECT = re.compile(r"(?<![a-z0-9])sub-[a-z0-9]+", re.I)
CHANNEL = re.compile(r"(.+)_(\d{4})")
# fmt: off
VIEWS = frozenset([
    "t1", "t1w", "t1c", "t1ce", "t1gd", "t1n", "t2", "t2w", "t2f", "flair", "adc", "dwi", "swi", "pd", "ct", "cta",
    "mr", "mri", "pet", "suv", "pre", "post", "arterial", "venous", "portal", "delayed", "native", "baseline",
    "followup", "frontal", "lateral", "ap", "pa", "left", "right",
])
# fmt: on
"""Words that tell images of one patient apart, as dates do."""

Key = tuple[str, ...]


def patients_of(
    paths: Sequence[str],
    ids: Sequence[str],
    patient_pattern: str | None = None,
    known: Sequence[str] = (),
    warn: bool = True,
) -> list[str]:
    r"""Return the patient of each image.

    It is what the pattern finds in its path, else what is known, else told by names: channels (``_0000``), dates, views
    and modalities of one case are one patient. What then stands alone is its own patient.

    Args:
        paths: relative paths of the images.
        ids: their ids.
        patient_pattern: regular expression with the patient in its first group, such as ``r"(LIDC-IDRI-\d+)"``.
        known: what the files themselves say, '' where they do not.
        warn: say how many are told by their names only, and that all say the same.
    """
    pattern = compile_pattern(composed(patient_pattern)) if patient_pattern else None
    found = [patient_in(composed(path), pattern) if pattern else None for path in paths]
    given = [name if name.strip().lower() not in PLACEHOLDERS else "" for name in known or [""] * len(paths)]
    named = [first or second for first, second in zip(found, given, strict=True)]
    unknown = [index for index, name in enumerate(named) if not name]
    told = _by_name([paths[index] for index in unknown], [ids[index] for index in unknown])
    for index, name in zip(unknown, told, strict=True):
        named[index] = name
    if warn:
        _warn([paths[index] for index in unknown], told, len(paths))
        _warn_of_one(given, found)
    return [str(name) for name in named]


def _by_name(paths: Sequence[str], ids: Sequence[str]) -> list[str]:
    """Return the patients that names tell: images of one case, else each its own."""
    keys = _cases(paths)
    count = Counter(keys)
    if len(count) < 2:
        return list(ids)
    names = {key: safe_name("_".join(part for part in key[-2:] if part)) for key in count}
    shared = Counter(names.values())
    return [
        name if count[key] == 1 else names[key] if shared[names[key]] == 1 else safe_name("_".join(filter(None, key)))
        for key, name in zip(keys, ids, strict=True)
    ]


def _cases(paths: Sequence[str]) -> list[Key]:
    """Return what is left of each path once channel, date, session and view are taken away."""
    plain = [PurePosixPath(composed(path)) for path in paths]
    bases = _without_channels([str(path.with_name(stem_of(path))) if path.name else str(path) for path in plain])
    return [_case(PurePosixPath(base)) for base in bases]


def _without_channels(names: Sequence[str]) -> list[str]:
    """Take ``_0000`` away where several cases have the same channels, counted from 0; elsewhere it counts cases."""
    found = [CHANNEL.fullmatch(name) for name in names]
    channels: dict[str, set[int]] = {}
    for match in found:
        if match:
            channels.setdefault(match[1], set()).add(int(match[2]))
    sets = list(channels.values())
    if len(sets) < 2 or any(each != sets[0] for each in sets) or sets[0] != set(range(len(sets[0]))):
        return list(names)
    return [match[1] if match else name for match, name in zip(found, names, strict=True)]


def _case(path: PurePosixPath) -> Key:
    if subject := SUBJECT.search(str(path)):
        return (subject[0].casefold(),)
    parts = [_stripped(part) for part in path.parts or ("",)]
    return (*(part for part in parts[:-1] if part), parts[-1])


def _stripped(part: str) -> str:
    part = SESSION.sub("_", DATE.sub("_", part))
    return "_".join(word for word in re.split(r"[\W_]+", part.casefold()) if word and word not in VIEWS)


def _warn(paths: Sequence[str], patients: Sequence[str], number: int) -> None:
    """Warn that images may be split from others of their patient."""
    if not paths:
        return
    many = [name for name, times in Counter(patients).items() if times > 1]
    of = [path for path, name in zip(paths, patients, strict=True) if many and name == many[0]]
    told = "each of them counts as its own patient"
    if many:
        told = f"their names tell {len(set(patients))} patients, of whom {many[0]} has {' and '.join(of[:2])}"
    logger.warning(
        f"No patient is known for {len(paths)} of {number} images, such as {paths[0]}: {told}. If that is wrong, pass "
        "patient_pattern, a regular expression whose first group finds the patient in the path, so that no patient is "
        "in two splits."
    )


def _warn_of_one(given: Sequence[str], found: Sequence[str | None]) -> None:
    """Warn of a PatientID that most images carry, as anonymised exports do."""
    said = [name for name, by_pattern in zip(given, found, strict=True) if not by_pattern]
    if len(said) < 2:
        return
    name, number = Counter(said).most_common(1)[0]
    if name and number > 1 and number > len(said) / 2:
        logger.warning(
            f"{'All' if number == len(said) else number} of {len(said)} images carry the PatientID {name!r}, so they "
            "count as one patient. If an anonymisation gave it to several, pass patient_pattern, a regular expression "
            "whose first group finds the patient in the path."
        )
