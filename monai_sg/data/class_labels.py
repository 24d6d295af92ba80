"""Labels that are classes: whether they are those of a bundle, and how often they occur."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..utils.errors import UserError
from .records import Datalist, Record


def checked_classes(datalist: Datalist, classes: Sequence[str], multi_label: bool) -> Datalist:
    """Return a data list whose labels are of the classes that a bundle tells apart.

    Args:
        datalist: has a label in every record, or none in a record that is not used.
        classes: names, in the order of the outputs.
        multi_label: whether an image has a 0 or 1 per class, and not one class.

    Raises:
        UserError: the list has other classes, or a label is of the other kind.
    """
    if datalist.classes and datalist.classes != list(classes):
        raise UserError(
            f"The data list has the classes {', '.join(datalist.classes)}, not {', '.join(classes)}; give the first as "
            "--classes, or another datalist."
        )
    for record in datalist.records:
        label = record.get("label")
        several = isinstance(label, list) and len(label) == len(classes) and set(label) <= {0, 1}
        one = isinstance(label, int) and label < len(classes)
        if label is not None and not (several if multi_label else one):
            wanted = f"a list of {len(classes)} numbers 0 or 1" if multi_label else f"a number below {len(classes)}"
            raise UserError(
                f"{record['id']} has the label {label!r}, not {wanted}; --multi_label says which of the two is meant."
            )
    return datalist


def class_weights(records: Sequence[Record], num_classes: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return weights (C) that make up for rare classes.

    They are negatives / positives of each class where an image may have several, the ``pos_weight`` of
    ``torch.nn.BCEWithLogitsLoss``, in proportion to the weights of Rajpurkar et al. (CheXNet, 2017); and N / (C n) for
    n of N images where each has one class, the ``weight`` of ``torch.nn.CrossEntropyLoss``. A class that all or none of
    the images have gets 1.

    Args:
        records: training records with class labels.
        num_classes: C.
        device: where they go.
    """
    labels = torch.tensor([record["label"] for record in records])
    if labels.dim() == 1:
        counts = torch.bincount(labels, minlength=num_classes).float()
        weights = len(labels) / (num_classes * counts)
    else:
        counts = labels.sum(0).float()
        weights = (len(labels) - counts) / counts
    return torch.where((counts > 0) & (counts < len(labels)), weights, torch.ones(num_classes)).to(device)
