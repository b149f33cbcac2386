"""What clients may do to a datastore: checked names, bounded sizes, nothing overwritten unseen."""

from __future__ import annotations

import filecmp
import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monailabel.datastore.local import DataModel, ImageLabelModel
from monailabel.interfaces.exception import LabelNotFoundException

from spss.errors import InputError, NotReadyError
from spss.studies import AuditLog
from spss.studies.audit import sha256_of
from spss.volumes import replace_atomically
from spss_app.datastore.names import (
    FINAL,
    IMAGE_ENDINGS,
    check_ending,
    check_new_id,
    check_tag,
    uploaded_id,
)
from spss_app.datastore.safe_index import SafeIndex
from spss_app.http_errors import answers_http
from spss_app.serving.who import WHO

logger = logging.getLogger(__name__)

LARGEST_IMAGE_BYTES = 8 * 1024**3
LARGEST_LABEL_BYTES = 2 * 1024**3
LARGEST_INFO_BYTES = 256 * 1024

SubmitHook = Callable[[str, Path, dict[str, Any]], None]
"""Takes image id, file and parameters of a submit; stores what it understood."""

WithdrawHook = Callable[[str], None]
"""Takes the image id whose final label was deleted by a client."""


class GuardedDatastore(SafeIndex):
    """Base of this app's datastores: what may come in through MONAI Label's endpoints.

    A label sent under the tag ``final`` is a submit: it goes to ``on_submit``, which writes it into
    the ledger and stores the folded state with `store_label`. Every other tag is a plain file.
    """

    on_submit: SubmitHook | None = None
    on_withdraw: WithdrawHook | None = None
    audit: AuditLog | None = None

    def note(self, action: str, **facts: Any) -> None:
        """Writes a line of the audit log; where that fails, what was done stays done.

        Who is logged in did it, whatever ``who`` a client gave; nobody is in a plain server.
        """
        facts["who"] = WHO.get() or facts.get("who", "")
        try:
            if self.audit is not None:
                self.audit.write(action, **facts)
        except OSError as error:
            logger.error("The audit log could not be written: %s.", error.strerror)

    @answers_http
    def save_label(
        self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]
    ) -> str:
        """Takes a label from a client; returns the label's id, which is the image's."""
        self.object_of(image_id)
        tag = check_tag(getattr(label_tag, "value", label_tag))
        info = _checked_info(label_info)
        file = Path(label_filename)
        _check_size(file, LARGEST_LABEL_BYTES)
        if tag == FINAL and self.on_submit is not None:
            self.on_submit(image_id, file, info)
            return image_id
        self.store_label(image_id, file, tag, info)
        self.note("save_label", image=image_id, who=_who(info), sha256=sha256_of(file), tag=tag)
        return image_id

    def store_label(self, image_id: str, file: Path, tag: str, info: dict[str, Any]) -> str:
        """Puts a copy of ``file`` under the tag, replacing the one there in one step."""
        ending = check_ending(file)
        folder = Path(self._datastore.label_path(check_tag(tag)))
        with self.changing() as index:
            obj = index.objects[image_id]
            with replace_atomically(folder / f"{image_id}{ending}") as unfinished:
                shutil.copyfile(file, unfinished)
            old = obj.labels.get(tag)
            if old is not None and old.ext != ending:
                (folder / f"{image_id}{old.ext}").unlink(missing_ok=True)
            record = {**info, "ts": int(time.time()), "name": f"{image_id}{ending}"}
            obj.labels[tag] = DataModel(info=record, ext=ending)
        return image_id

    @answers_http
    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Takes an uploaded image; the same file twice is one image, another one is refused."""
        file = Path(image_filename)
        ending = check_ending(file, IMAGE_ENDINGS)
        _check_size(file, LARGEST_IMAGE_BYTES)
        image_id = check_new_id(uploaded_id(image_id or "image", file))
        info = _checked_info(image_info)
        name = f"{image_id}{ending}"
        target = Path(self._datastore.image_path()) / name
        self.refresh_if_changed()
        if image_id in self._datastore.objects:
            if target.is_file() and filecmp.cmp(file, target, shallow=False):
                return image_id
            msg = f"There is another image {image_id!r} already: give this one another name."
            raise InputError(msg)
        with replace_atomically(target) as unfinished:  # outside of the lock: it may be large
            shutil.copyfile(file, unfinished)
        with self.changing() as index:
            record = {**info, "ts": int(time.time()), "name": name}
            index.objects[image_id] = ImageLabelModel(image=DataModel(info=record, ext=ending))
        self.note("add_image", image=image_id, who=_who(info), sha256=sha256_of(target))
        return image_id

    @answers_http
    def remove_image(self, image_id: str) -> None:
        """Removes the image file and its plain labels; the ledger keeps what was decided."""
        obj = self.object_of(image_id)
        with self.changing() as index:
            file = Path(self._datastore.image_path()) / f"{image_id}{obj.image.ext}"
            file.unlink(missing_ok=True)
            for tag, label in obj.labels.items():
                folder = Path(self._datastore.label_path(tag))
                (folder / f"{image_id}{label.ext}").unlink(missing_ok=True)
            index.objects.pop(image_id, None)
        self.note("remove_image", image=image_id)

    @answers_http
    def remove_label(self, label_id: str, label_tag: str) -> None:
        """Removes a label file; a final one is withdrawn in the ledger and can be restored."""
        if not self.drop_label(label_id, check_tag(label_tag)):
            raise LabelNotFoundException(f"Image {label_id!r} has no label {label_tag!r}.")
        if label_tag == FINAL and self.on_withdraw is not None:
            self.on_withdraw(label_id)
        self.note("remove_label", image=label_id, tag=label_tag)

    def drop_label(self, label_id: str, tag: str) -> bool:
        """Removes a label file, and nothing from the ledger; False if there is none."""
        label = self.object_of(label_id).labels.get(tag)
        if label is None:
            return False
        folder = Path(self._datastore.label_path(tag))
        with self.changing() as index:
            (folder / f"{label_id}{label.ext}").unlink(missing_ok=True)
            index.objects[label_id].labels.pop(tag, None)
        return True

    @answers_http
    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        """Adds to an image's information."""
        checked = _checked_info(info)
        self.object_of(image_id)
        with self.changing() as index:
            index.objects[image_id].image.info.update(checked)

    @answers_http
    def update_label_info(self, label_id: str, label_tag: str, info: dict[str, Any]) -> None:
        """Adds to a label's information."""
        checked = _checked_info(info)
        if label_tag not in self.object_of(label_id).labels:
            raise LabelNotFoundException(f"Image {label_id!r} has no label {label_tag!r}.")
        with self.changing() as index:
            index.objects[label_id].labels[label_tag].info.update(checked)

    @answers_http
    def get_dataset_archive(self, limit_cases: int | None) -> str:
        """A zip file of the images with a final label."""
        if not self.datalist():
            msg = "No image has a final label yet: submit one before downloading the data set."
            raise NotReadyError(msg)
        archive = str(super().get_dataset_archive(limit_cases))
        self.note("export", sha256=sha256_of(Path(archive)), layout="archive of final labels")
        return archive

    def known_objects(self) -> dict[str, ImageLabelModel]:
        """The index in memory; looks at no file and asks no other server."""
        return self._datastore.objects

    def list_images(self) -> list[str]:
        """Ids of all images, sorted."""
        self.refresh_if_changed()
        return sorted(self._datastore.objects)

    def fetched_images(self) -> list[str]:
        """Ids of the images whose files are here; of a remote server's images, not all may be."""
        return [image_id for image_id in self.list_images() if image_id in self._datastore.objects]

    def fetched_files(self) -> dict[str, Path]:
        """The same with their files; the folders are looked at once for all of them."""
        names = self.fetched_images()
        folder = Path(self._datastore.image_path()).resolve()
        objects = self._datastore.objects
        return {name: folder / f"{name}{objects[name].image.ext}" for name in names}

    def status(self) -> dict[str, Any]:
        """Counts for the viewers' progress bars."""
        self.refresh_if_changed()
        return dict(super().status())

    def json(self) -> dict[str, Any]:
        """The whole index."""
        self.refresh_if_changed()
        return dict(super().json())


def _who(info: Mapping[str, Any]) -> str:
    """The user that MONAI Label's login names, else what the client says."""
    return str(info.get("user") or info.get("author") or info.get("client_id") or "")


def _check_size(file: Path, limit: int) -> None:
    size = file.stat().st_size
    if size > limit:
        msg = (
            f"The file has {size} bytes, more than the {limit} that are taken: crop or compress it."
        )
        raise InputError(msg)
    if size == 0:
        msg = "The file that arrived is empty (0 bytes): export it again."
        raise InputError(msg)


def _checked_info(info: object) -> dict[str, Any]:
    """A JSON object of bounded size.

    Raises:
        InputError: it is something else, or too large.
    """
    if info is None:
        return {}
    if not isinstance(info, dict):
        msg = f"The parameters must be a JSON object, got {type(info).__name__}."
        raise InputError(msg)
    try:
        size = len(json.dumps(info))
    except (TypeError, ValueError) as error:
        msg = f"The parameters are no plain JSON ({error})."
        raise InputError(msg) from error
    if size > LARGEST_INFO_BYTES:
        msg = f"The parameters have {size} bytes: send at most {LARGEST_INFO_BYTES}."
        raise InputError(msg)
    return dict(info)
