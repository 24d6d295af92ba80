"""Labels that are classes: whether they are those of a bundle."""

from __future__ import annotations

from collections.abc import Sequence

from ..utils.errors import UserError
from .records import Datalist


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
