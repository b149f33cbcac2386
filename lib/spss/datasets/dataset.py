"""A folder in the layout of the Medical Segmentation Decathlon."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from spss.datasets.json_object import read_json_object
from spss.errors import InputError
from spss.types import MAX_CLASSES
from spss.volumes.files import image_name, list_images


@dataclass(frozen=True)
class Case:
    """One image and, where there is one, its label.

    Attributes:
        name: the image file's name without its ending; unique in its data set.
        image: path of the image.
        label: path of the dense label, or None.
        patient: who the image shows. Cases of one patient stay in one split.
    """

    name: str
    image: Path
    label: Path | None = None
    patient: str = ""


@dataclass(frozen=True)
class Dataset:
    """The cases of a folder and the names of its classes.

    Attributes:
        root: the folder.
        cases: sorted by name.
        class_names: ``class_names[0]`` is ``"background"``.
    """

    root: Path
    cases: tuple[Case, ...]
    class_names: tuple[str, ...]

    def case(self, name: str) -> Case:
        """The case called ``name``, with or without the image's ending.

        Raises:
            InputError: there is none.
        """
        by_name = {case.name: case for case in self.cases}
        found = by_name.get(name) or by_name.get(image_name(name))
        if found is None:
            msg = (
                f"There is no image {name!r} in {self.root.name}: it has {len(self.cases)} images, "
                f"such as {', '.join(case.name for case in self.cases[:3])}."
            )
            raise InputError(msg)
        return found


def open_decathlon(root: str | Path) -> Dataset:
    """Opens a folder with ``dataset.json``, ``imagesTr`` and ``labelsTr``.

    The cases are those under ``training`` in ``dataset.json``, or all of ``imagesTr`` where it has
    no such list. A label that is not named or not on disk is None: volumes without any label take
    part in training.

    Raises:
        InputError: the folder or ``dataset.json`` is absent or unusable, an image is listed twice,
            or there is no image at all.
    """
    root = Path(root)
    description = read_description(root)
    class_names = class_names_of(description.get("labels"), root)
    entries = description.get("training")
    if entries is None:
        entries = [{"image": f"imagesTr/{path.name}"} for path in list_images(root / "imagesTr")]
    cases = sorted((_case(root, entry) for entry in entries), key=lambda case: case.name)
    for first, second in pairwise(cases):
        if first.name == second.name:
            msg = f"Image {first.name} is listed twice in {root / 'dataset.json'}: keep one."
            raise InputError(msg)
    if not cases:
        msg = f"Data set {root} has no training images: list them in dataset.json."
        raise InputError(msg)
    return Dataset(root, tuple(cases), class_names)


def read_description(root: Path) -> dict[str, Any]:
    """What ``dataset.json`` says.

    Raises:
        InputError: it is absent or no JSON object.
    """
    path = root / "dataset.json"
    return read_json_object(
        path,
        called=str(path),
        absent=f"There is no dataset.json in {root}: give a folder in the Decathlon layout "
        "(dataset.json, imagesTr, labelsTr).",
        holds=" with 'labels' and 'training'",
    )


def class_names_of(labels: object, root: Path) -> tuple[str, ...]:
    """From ``{"0": "background", "1": "liver"}`` or nnU-Net's ``{"background": 0, "liver": 1}``.

    Raises:
        InputError: the numbers have gaps, or a name is there twice.
    """
    where = root / "dataset.json"
    if not isinstance(labels, dict) or not labels:
        msg = f"{where} has no 'labels': name the classes, such as {{'0': 'background', '1': …}}."
        raise InputError(msg)
    try:
        if all(isinstance(value, int) for value in labels.values()):
            names = {int(value): str(name) for name, value in labels.items()}
        else:
            names = {int(value): str(name) for value, name in labels.items()}
    except (TypeError, ValueError) as error:
        msg = f"{where} must give each label one whole number, got {labels}."
        raise InputError(msg) from error
    names[0] = "background"
    if sorted(names) != list(range(len(names))) or not 2 <= len(names) <= MAX_CLASSES:
        msg = (
            f"{where} numbers its labels {sorted(names)}: they must run from 0 (background) "
            f"without gaps, at most {MAX_CLASSES} in all, with one foreground class or more."
        )
        raise InputError(msg)
    ordered = tuple(names[index] for index in range(len(names)))
    if len(set(ordered)) != len(ordered):
        msg = f"{where} names two labels alike ({', '.join(ordered)}): give each its own name."
        raise InputError(msg)
    return ordered


def _case(root: Path, entry: object) -> Case:
    """From an entry with image and label, or from the image's name alone."""
    listed = {"image": entry} if isinstance(entry, str) else entry
    if not isinstance(listed, dict) or not isinstance(listed.get("image"), str):
        msg = f"{root / 'dataset.json'} has a training entry without 'image': {entry!r}."
        raise InputError(msg)
    image = root / listed["image"]
    label = root / (listed.get("label") or f"labelsTr/{image.name}")
    name = image_name(image)
    patient = str(listed.get("patient") or patient_of(name))
    return Case(name, image, label if label.is_file() else None, patient)


def patient_of(name: str) -> str:
    """The patient a name tells: ``patient001_frame12`` is a frame of ``patient001``.

    Only a trailing count of frames, phases, visits or the like is cut off; any other name is a
    patient of its own. ``"patient"`` in an entry of ``dataset.json`` overrides this.
    """
    head, _, tail = name.rpartition("_")
    word = tail.rstrip("0123456789").rstrip("-")
    return head if head and word.lower() in _REPEATS and word != tail else name


_REPEATS = frozenset({"frame", "phase", "time", "visit", "session", "ses", "scan"})
