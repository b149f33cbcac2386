"""A studies folder's images and labels as a Decathlon or nnU-Net v2 data set."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import spss
from spss.annotation import BACKGROUND, Ledger, SparseLabel, check_class_names
from spss.annotation.durable import write_durably
from spss.annotation.fold import entries_in_force
from spss.annotation.merge import merge_history
from spss.datasets.annotations import Annotations, write_annotations
from spss.errors import InputError, NotReadyError
from spss.studies.folders import Studies
from spss.studies.image_copies import copy_as_nifti
from spss.studies.writers import FORMATS, Layout
from spss.volumes import read_grid, write_label

HISTORY = "ledger"
"""Folder of the data set with every version of every label, as in the studies folder."""

ANNOTATIONS = "annotations.json"
MANIFEST = "spss_export.json"
MANIFEST_FORMAT = 1


@dataclass
class Exported:
    """What an export wrote.

    Attributes:
        images: image id → True if it has a label in the data set.
        class_names: background first.
        entries: versions of labels in the history, 0 without history.
        left_out: image id → why it is not among the images.
        partly: images whose single voxels ``annotations.json`` cannot name.
    """

    images: dict[str, bool] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    entries: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    partly: list[str] = field(default_factory=list)


def export_studies(
    studies: Studies,
    out: Path,
    format_name: str,
    *,
    class_names: Sequence[str] = (),
    channel: str = "image",
    only_annotated: bool = False,
    history: bool = True,
    on_image: Callable[[], None] = lambda: None,
) -> Exported:
    """Writes ``out`` in one step: it appears when it is complete.

    Args:
        studies: the folders.
        out: folder to make; must not exist, or be empty.
        format_name: key of ``FORMATS``.
        class_names: background first; empty = those that the ledger names.
        channel: modality in ``dataset.json``; nnU-Net normalises ``CT`` by fixed intensities.
        only_annotated: leave images without annotation out.
        history: also copy every version of every label (folder ``ledger``).
        on_image: called after each image.

    Raises:
        InputError: nothing is annotated, ``out`` is in use, or a class is unknown.
    """
    if format_name not in FORMATS:
        msg = f"There is no format {format_name!r}: use one of {', '.join(FORMATS)}."
        raise InputError(msg)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        msg = f"{out} exists already: name a new folder."
        raise InputError(msg)
    ledger = Ledger(studies.ledger)
    names = check_class_names(class_names) if class_names else ledger_class_names(ledger)
    unfinished = out.with_name(f".{out.name}.{secrets.token_hex(4)}.unfinished")
    try:
        work = _Export(studies, ledger, names, FORMATS[format_name], unfinished)
        work.images(only_annotated, on_image)
        work.describe(out.name, channel)
        if history:
            work.history()
        if out.exists():
            out.rmdir()
        unfinished.rename(out)
    except OSError as error:
        msg = f"The data set could not be written to {out} ({error.strerror})."
        raise InputError(msg) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return work.result


def ledger_class_names(ledger: Ledger) -> tuple[str, ...]:
    """The classes that the entries in force name, in the order in which they were named.

    Raises:
        NotReadyError: nothing is annotated.
    """
    names = [BACKGROUND]
    for image_id in ledger.image_ids():
        for entry in entries_in_force(ledger.history(image_id)):
            names += [name for name in entry.class_names if name not in names]
    if len(names) < 2:
        msg = f"Nothing is annotated in {ledger.root.parent.parent}: there is nothing to export."
        raise NotReadyError(msg)
    return check_class_names(names)


class _Export:
    """One export, step by step."""

    def __init__(
        self,
        studies: Studies,
        ledger: Ledger,
        class_names: tuple[str, ...],
        layout: Layout,
        folder: Path,
    ) -> None:
        self.result = Exported(class_names=class_names)
        self._studies, self._ledger, self._layout, self._folder = studies, ledger, layout, folder
        self._annotations: Annotations = {}
        self._hashes: dict[str, str] = {}
        self._sparse = False

    def images(self, only_annotated: bool, on_image: Callable[[], None]) -> None:
        """Copies images and writes their labels."""
        files = self._studies.image_files()
        for image_id in sorted({*files, *self._ledger.image_ids()}):
            try:
                label = self._label(image_id)
                if label is None and only_annotated:
                    continue
                if image_id not in files:
                    msg = "its image is not in the studies folder"
                    raise InputError(msg)
                self._image(image_id, files[image_id], label)
            except InputError as error:
                self.result.left_out[image_id] = str(error)
            on_image()

    def describe(self, name: str, channel: str) -> None:
        """Writes ``dataset.json``, ``annotations.json`` and the manifest."""
        names = self.result.class_names
        described = self._layout.describe(
            name, names, self.result.images, channel=channel, sparse=self._sparse
        )
        manifest = {
            "format": MANIFEST_FORMAT,
            "layout": self._layout.name,
            "spss": spss.__version__,
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "labels_sha256": self._hashes,
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        for file, content in (("dataset.json", described), (MANIFEST, manifest)):
            text = json.dumps(content, indent=1, ensure_ascii=False)
            write_durably(self._folder / file, text.encode() + b"\n")
        write_annotations(self._folder / ANNOTATIONS, self._annotations)

    def history(self) -> None:
        """Copies every readable version; a damaged one is named."""
        copy = Ledger(self._folder / HISTORY)
        for image_id in self._ledger.image_ids():
            merged = merge_history(self._ledger, copy, image_id)
            self.result.entries += len(merged.added)
            for entry_id, reason in merged.damaged.items():
                self.result.left_out[f"{image_id}, version {entry_id}"] = reason

    def _label(self, image_id: str) -> SparseLabel | None:
        try:
            return self._ledger.sparse_label(image_id, self.result.class_names)
        except NotReadyError:
            return None

    def _image(self, image_id: str, file: Path, label: SparseLabel | None) -> None:
        subfolder = "imagesTr" if label is not None else self._layout.unlabelled_folder
        copy = self._folder / subfolder / f"{image_id}{self._layout.image_suffix}.nii.gz"
        copy_as_nifti(file, copy)
        try:
            if label is not None:
                self._write_label(image_id, copy, label)
        except InputError:
            copy.unlink()
            raise
        self.result.images[image_id] = label is not None

    def _write_label(self, image_id: str, image: Path, label: SparseLabel) -> None:
        grid = read_grid(image)
        path = self._folder / "labelsTr" / f"{image_id}.nii.gz"
        write_label(path, self._layout.label_map(label, self.result.class_names), like=grid)
        self._hashes[image_id] = hashlib.sha256(path.read_bytes()).hexdigest()
        self._sparse = self._sparse or not label.is_dense
        if label.is_dense:
            self._annotations[image_id] = "dense"
            return
        if label.planes:
            self._annotations[image_id] = label.planes
        of_planes = SparseLabel.from_planes(label.classes, label.planes)
        if (label.annotated & ~of_planes.annotated).any():
            self.result.partly.append(image_id)
