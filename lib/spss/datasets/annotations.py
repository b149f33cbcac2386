"""Which planes of which image a person drew: the annotations file and what it lets one read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from spss.annotation import Plane, SparseLabel
from spss.datasets.dataset import Case, Dataset
from spss.datasets.json_object import read_json_object
from spss.errors import InputError
from spss.volumes.atomic import replace_atomically
from spss.volumes.labels import read_label, read_label_planes
from spss.volumes.volume import read_grid

Entry: TypeAlias = tuple[Plane, ...] | Literal["dense"]
"""The planes of one image that were drawn, or ``"dense"`` for its whole label."""

Annotations: TypeAlias = dict[str, Entry]
"""Case name to what was drawn in it. A case that is absent has no label."""


def read_annotations(path: str | Path, dataset: Dataset) -> Annotations:
    """Reads ``{"image name": [{"axis": 0, "index": 17}, …] | "dense", …}``.

    Names may have the image's ending. An empty list is as if the image were absent.

    Raises:
        InputError: the file is absent or not such JSON, names an image that the data set has not
            or that has no label, or a plane lies outside its image.
    """
    path = Path(path)
    annotations: Annotations = {}
    for name, listed in _read_object(path).items():
        case = dataset.case(name)
        if case.name in annotations:
            msg = f"{path.name} names image {case.name} twice: keep one entry."
            raise InputError(msg)
        entry = _entry(listed, case.name, path)
        if not entry:
            continue
        if case.label is None:
            msg = f"{path.name} has annotations for {case.name}, but that image has no label file."
            raise InputError(msg)
        _check_planes(case, entry)
        annotations[case.name] = entry
    return annotations


def write_annotations(path: str | Path, annotations: Mapping[str, Entry]) -> None:
    """Writes what ``read_annotations`` reads, sorted by name, atomically."""
    document = {
        name: entry
        if entry == "dense"
        else [{"axis": plane.axis, "index": plane.index} for plane in entry]
        for name, entry in sorted(annotations.items())
    }
    with replace_atomically(Path(path)) as unfinished:
        text = json.dumps(document, indent=1, ensure_ascii=False)
        unfinished.write_text(text + "\n", encoding="utf-8")


def sparse_label_of(case: Case, entry: Entry, *, class_count: int | None = None) -> SparseLabel:
    """The part of a case's label that ``entry`` gives; nothing else of the label is looked at.

    Args:
        case: a case with a label.
        entry: planes, or ``"dense"``.
        class_count: classes including background; a larger value is refused.

    Raises:
        InputError: there is no label, it is unreadable or not on the image's grid, or a plane lies
            outside it.
    """
    if case.label is None:
        msg = f"Image {case.name} has no label file to take annotations from."
        raise InputError(msg)
    grid = read_grid(case.image)
    if entry == "dense":
        return SparseLabel.dense(read_label(case.label, like=grid, class_count=class_count))
    planes = read_label_planes(case.label, entry, like=grid, class_count=class_count)
    return SparseLabel.from_planes(planes, entry)


def load_label_of(
    case: Case, annotations: Mapping[str, Entry], *, class_count: int | None = None
) -> Callable[[], SparseLabel] | None:
    """A function that reads the annotated part when called; None for a case without annotation."""
    entry = annotations.get(case.name)
    return partial(sparse_label_of, case, entry, class_count=class_count) if entry else None


def _read_object(path: Path) -> dict[str, object]:
    """Image names and what is listed for each, unchecked."""
    return read_json_object(
        path,
        called=f"Annotations file {path}",
        absent=f"There is no annotations file {path}: make one with 'spss budget'.",
        holds=": image name to list of planes",
    )


def _entry(listed: object, name: str, path: Path) -> Entry:
    """The planes of one image, each once, in order."""
    if listed == "dense":
        return "dense"
    if not isinstance(listed, list):
        msg = f'{path.name}: image {name} needs a list of planes or "dense", got {listed!r}.'
        raise InputError(msg)
    return tuple(sorted({_plane(item, name, path) for item in listed}))


def _plane(item: object, name: str, path: Path) -> Plane:
    """One plane; booleans and fractions are no index."""
    axis, index = (item.get("axis"), item.get("index")) if isinstance(item, dict) else (None, None)
    if not _is_whole(axis) or not _is_whole(index) or axis not in (0, 1, 2):
        msg = (
            f"{path.name}: image {name} has the plane {item!r}; a plane needs "
            '"axis" (0, 1 or 2) and "index" (a whole number).'
        )
        raise InputError(msg)
    return Plane(axis, index)  # type: ignore[arg-type]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_planes(case: Case, entry: Entry) -> None:
    """Raises InputError if a plane lies outside; a broken image is left to who reads it."""
    try:
        grid = read_grid(case.image)
    except InputError:
        return
    for plane in () if entry == "dense" else entry:
        try:
            plane.check(grid.shape)
        except InputError as error:
            msg = f"Image {case.name}: {error}"
            raise InputError(msg) from error
