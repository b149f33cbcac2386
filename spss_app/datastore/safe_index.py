"""MONAI Label's index of images and labels, without lost updates and torn files."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from monailabel.datastore.local import (
    DataModel,
    ImageLabelModel,
    LocalDatastore,
    LocalDatastoreModel,
)
from monailabel.interfaces.exception import ImageNotFoundException

from spss.annotation.durable import write_durably
from spss.volumes import image_name
from spss.volumes.files import image_ending, list_images
from spss_app.datastore.index_file import (
    backup_of,
    file_signature,
    parse_index,
    serialise_index,
)
from spss_app.datastore.names import IMAGE_ENDINGS, LABEL_ENDINGS

logger = logging.getLogger(__name__)

_LOCK_SECONDS = 30.0
_BACKUP_EVERY_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 10.0
"""A file that a person puts beside ours at the same moment is noticed after this time at most."""

_TIME_STAMP_SECONDS = 2
"""A label's time in the index is in whole seconds, and its file is written just before or after."""


class SafeIndex(LocalDatastore):
    """Base of this app's datastores: how ``datastore_v2.json`` is read and written.

    Every change happens under a lock that other processes respect: the index is read again if
    another process wrote it, changed, and replaced in one step. A torn index is set aside and
    rebuilt from its backup copy and the files that are there. New and deleted files are noticed
    by the folder's time stamp, without a watching thread. What this object itself writes while it
    is `changing` the index is known already: looking through all images after each label would
    take longer than storing it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._datastore: LocalDatastoreModel
        self._guard = threading.RLock()
        self._signature: tuple[int, int, int] | None = None
        self._folder_state: tuple[int, ...] = ()
        self._look_again_at = math.inf
        self._backed_up_at = 0.0
        super().__init__(*args, **kwargs)

    @contextmanager
    def changing(self) -> Iterator[LocalDatastoreModel]:
        """Gives the newest index to change, and writes it afterwards.

        Files that belong to the change are written or removed inside, or else count as foreign.
        """
        with self._guard, FileLock(self._lock_file, timeout=_LOCK_SECONDS):
            self._load()
            nothing_foreign = self._state_of_folders() == self._folder_state
            yield self._datastore
            self._store()
            if nothing_foreign:
                self._folder_state = self._state_of_folders()
                self._look_again_at = min(self._look_again_at, _soon())

    def object_of(self, image_id: str) -> ImageLabelModel:
        """The index's record of an image.

        Raises:
            ImageNotFoundException: there is none (a 404 over HTTP).
        """
        self.refresh_if_changed()
        found = self._datastore.objects.get(image_id)
        if found is None:
            raise ImageNotFoundException(
                f"There is no image {image_id!r}: ask for the next sample."
            )
        return found

    def refresh_if_changed(self) -> None:
        """Takes over what other processes and people did to the folders."""
        self._init_from_datastore_file()
        looked_long_ago = time.monotonic() > self._look_again_at
        if looked_long_ago or self._state_of_folders() != self._folder_state:
            self._reconcile_datastore()
            self._look_again_at = math.inf if looked_long_ago else _soon()

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """What the newest index says of an image."""
        self._init_from_datastore_file()
        return dict(super().get_image_info(image_id))

    def get_label_info(self, label_id: str, label_tag: str) -> dict[str, Any]:
        """What the newest index says of a label."""
        self._init_from_datastore_file()
        return dict(super().get_label_info(label_id, label_tag))

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """Path of a label file by the newest index; empty if there is none."""
        self._init_from_datastore_file()
        return str(super().get_label_uri(label_id, label_tag))

    def _state_of_folders(self) -> tuple[int, ...]:
        labels = Path(self._datastore.label_path(None))
        folders = [Path(self._datastore.image_path()), labels, *_subfolders(labels)]
        return tuple(folder.stat().st_mtime_ns for folder in folders if folder.is_dir())

    def _init_from_datastore_file(self, throw_exception: bool = False) -> None:
        if file_signature(Path(self._datastore_config_path)) in (None, self._signature):
            return  # the common case needs no lock: the index is only ever replaced whole
        with self._guard, FileLock(self._lock_file, timeout=_LOCK_SECONDS):
            self._load()

    def _update_datastore_file(self, lock: bool = True) -> None:
        if not lock:
            self._store()
            return
        with self._guard, FileLock(self._lock_file, timeout=_LOCK_SECONDS):
            self._store()

    def _reconcile_datastore(self) -> None:
        with self._guard, FileLock(self._lock_file, timeout=_LOCK_SECONDS):
            self._load()
            state = self._state_of_folders()
            changes = self._remove_non_existing() + self._add_non_existing_images()
            for folder in _subfolders(Path(self._datastore.label_path(None))):
                changes += self._add_non_existing_labels(folder.name)
            if changes:
                self._store()
            self._folder_state = state

    def _remove_non_existing(self) -> int:
        objects = self._datastore.objects
        images = Path(self._datastore.image_path())
        gone = [
            key for key, obj in objects.items() if not (images / (key + obj.image.ext)).exists()
        ]
        for key in gone:
            del objects[key]
        changes = len(gone)
        for key, obj in objects.items():
            for tag in list(obj.labels):
                folder = Path(self._datastore.label_path(tag))
                if not (folder / (key + obj.labels[tag].ext)).exists():
                    del obj.labels[tag]
                    changes += 1
        return changes

    def _add_non_existing_images(self) -> int:
        objects = self._datastore.objects
        known = {key + obj.image.ext for key, obj in objects.items()}
        new = [
            path.name
            for path in list_images(Path(self._datastore.image_path()))
            if path.name not in known and image_ending(path).lower() in IMAGE_ENDINGS
        ]
        for name in sorted(new, key=lambda n: (not n.lower().endswith(".nii.gz"), n)):
            key, ending = image_name(name), image_ending(name)
            if key in objects:  # a.nii beside a.nii.gz: two images, so two ids
                key, ending = name, ""
            info = {"ts": int(time.time()), "name": name}
            objects[key] = ImageLabelModel(image=DataModel(info=info, ext=ending))
        return len(new)

    def _add_non_existing_labels(self, tag: str) -> int:
        added = 0
        for path in list_images(Path(self._datastore.label_path(tag))):
            obj = self._datastore.objects.get(image_name(path))
            if obj is None or tag in obj.labels or image_ending(path).lower() not in LABEL_ENDINGS:
                continue
            info = {"ts": int(time.time()), "name": path.name}
            obj.labels[tag] = DataModel(info=info, ext=image_ending(path))
            added += 1
        return added

    def _to_id(self, file: str) -> tuple[str, str]:
        return image_name(file), image_ending(file)

    def _load(self) -> None:
        """Reads the index if it is not the one in memory. The caller holds the lock."""
        path = Path(self._datastore_config_path)
        signature = file_signature(path)
        if signature is None or signature == self._signature:
            return
        model = parse_index(path)
        if model is None:
            model = self._recover(path)
            signature = None
        model.base_path = self._datastore_path
        model.images_dir = self._datastore.images_dir
        model.labels_dir = self._datastore.labels_dir
        self._datastore, self._signature = model, signature
        if signature is None:
            self._forget_replaced_labels()

    def _recover(self, path: Path) -> LocalDatastoreModel:
        aside = path.with_name(f"{path.name}.broken-{time.time_ns()}")
        path.replace(aside)
        self._folder_state = ()
        logger.warning("The index was unreadable; it is kept as %s and rebuilt.", aside.name)
        return parse_index(backup_of(path)) or LocalDatastoreModel(
            name="new-dataset", description=""
        )

    def _forget_replaced_labels(self) -> None:
        """Drops what the backup copy tells of labels that were replaced after it was written."""
        for image_id, obj in self._datastore.objects.items():
            for tag, label in list(obj.labels.items()):
                file = Path(self._datastore.label_path(tag)) / f"{image_id}{label.ext}"
                written = file_signature(file)
                told = label.info.get("ts")
                # a client may have put anything there
                latest = told + _TIME_STAMP_SECONDS if isinstance(told, int) else 0
                if written is not None and written[0] > latest * 10**9:
                    del obj.labels[tag]  # found again with the files that are there

    def _store(self) -> None:
        """Replaces the index in one step. The caller holds the lock."""
        path = Path(self._datastore_config_path)
        data = serialise_index(self._datastore)
        write_durably(path, data)
        self._signature = file_signature(path)
        if time.monotonic() - self._backed_up_at > _BACKUP_EVERY_SECONDS:
            write_durably(backup_of(path), data)
            self._backed_up_at = time.monotonic()


def _soon() -> float:
    return time.monotonic() + _LOOK_AGAIN_SECONDS


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
