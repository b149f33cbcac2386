"""A Decathlon or nnU-Net v2 data set into a studies folder: images it lacks, and every label."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from spss.annotation import Ledger
from spss.annotation.durable import write_durably
from spss.annotation.merge import merge_history
from spss.errors import InputError
from spss.studies.exporting import HISTORY, MANIFEST
from spss.studies.folders import Studies
from spss.studies.image_copies import copy_as_nifti
from spss.studies.readers import Found, SourceDataset, open_source
from spss.volumes import read_grid


@dataclass
class Imported:
    """What an import did.

    Attributes:
        class_names: of the data set, background first.
        images: ids of images that were copied into the studies folder.
        entries: image id → versions added to the ledger.
        known: versions that the ledger had already.
        read: images whose label map was read, since it is not one that an export wrote.
        left_out: image id, or version → why nothing was taken.
    """

    class_names: tuple[str, ...] = ()
    images: list[str] = field(default_factory=list)
    entries: dict[str, int] = field(default_factory=dict)
    known: int = 0
    read: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def import_dataset(
    studies: Studies,
    data: Path,
    *,
    author: str = "",
    on_image: Callable[[], None] = lambda: None,
) -> Imported:
    """Adds a data set's images and labels; doing it twice adds nothing twice.

    Where the data set holds the history that `export_studies` wrote, every version comes back as
    it was: planes, class names, authors, times. A label map that was changed since then, or that
    no export wrote, becomes a new version of its own.

    Args:
        studies: the folders to write into.
        data: folder with ``dataset.json``.
        author: of label maps whose author the data set does not tell.
        on_image: called after each image.

    Raises:
        InputError: ``data`` is no such data set, or the studies folder cannot be written.
    """
    source = open_source(data)
    work = _Import(studies, source, author)
    try:
        for image_id in sorted({*source.images, *work.remembered.image_ids()}):
            try:
                work.take(image_id)
            except InputError as error:
                work.result.left_out[image_id] = str(error)
            on_image()
        _remember_classes(studies, source.class_names)
    except OSError as error:
        msg = f"The studies folder cannot be written ({error.strerror}): {studies.workspace}."
        raise InputError(msg) from error
    return work.result


class _Import:
    """One import, image by image."""

    def __init__(self, studies: Studies, source: SourceDataset, author: str) -> None:
        self.result = Imported(class_names=source.class_names)
        self.remembered = Ledger(source.root / HISTORY)
        self._source, self._author = source, author
        self._images = studies.images_here
        self._files = studies.image_files()
        self._ledger = Ledger(studies.ledger)
        self._exported = _exported_labels(source.root)

    def take(self, image_id: str) -> None:
        """Copies the image if it is not there, then adds what the data set knows of it."""
        there = self._source.images.get(image_id)
        if there is not None and image_id not in self._files:
            target = self._images / f"{image_id}.nii.gz"
            read_grid(there)  # a broken image is named here, not in the middle of a training
            copy_as_nifti(there, target)
            self._files[image_id] = target
            self.result.images.append(image_id)
        self._check_shape(image_id)
        merged = merge_history(self.remembered, self._ledger, image_id)
        self.result.known += merged.known
        self._count(image_id, len(merged.added))
        for entry_id, reason in merged.damaged.items():
            self.result.left_out[f"{image_id}, version {entry_id}"] = reason
        label = self._source.labels.get(image_id)
        if label is not None and self._is_new(image_id, label):
            self._read(image_id)

    def _is_new(self, image_id: str, label: Path) -> bool:
        """False for a label map that came from the history that was just taken over."""
        digest = hashlib.sha256(label.read_bytes()).hexdigest()
        remembered = bool(self.remembered.history(image_id))
        return not remembered or self._exported.get(image_id) != digest

    def _read(self, image_id: str) -> None:
        grid = read_grid(self._files[image_id])
        before = len(self._ledger.history(image_id))
        found: list[Found] = self._source.read_label(image_id, grid)
        for each in found:
            self._ledger.record(
                image_id,
                each.label,
                each.what,
                class_names=self._source.class_names,
                affine=grid.affine,
                author=self._author,
                provenance=f"imported from {self._source.name}"[:100],
            )
        self.result.read.append(image_id)
        self._count(image_id, len(self._ledger.history(image_id)) - before)

    def _count(self, image_id: str, added: int) -> None:
        if added:
            self.result.entries[image_id] = self.result.entries.get(image_id, 0) + added

    def _check_shape(self, image_id: str) -> None:
        """Labels of another image under the same name must not come in."""
        file = self._files.get(image_id)
        shapes = {e.shape for e in self.remembered.history(image_id) if e.kind != "restore"}
        if file is None or not shapes:
            return
        shape = read_grid(file).shape
        if shape not in shapes:
            msg = (
                f"image {image_id} has shape {shape} in the studies folder, its labels in the data "
                f"set have {sorted(shapes)[0]}: it is another image"
            )
            raise InputError(msg)


def _exported_labels(root: Path) -> dict[str, str]:
    """Image id → SHA-256 of the label file that an export wrote."""
    try:
        hashes = json.loads((root / MANIFEST).read_bytes())["labels_sha256"]
        return {str(name): str(value) for name, value in hashes.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remember_classes(studies: Studies, class_names: tuple[str, ...]) -> None:
    """Names the classes for a server that no submit and no ``dataset.json`` has named them for."""
    described = (
        studies.images is not None
        and (Path(studies.address).expanduser() / "dataset.json").is_file()
    )
    if not described and not studies.classes_file.exists():
        studies.classes_file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(studies.classes_file, json.dumps(class_names, ensure_ascii=False).encode())
