"""The file of MONAI Label's index: ``datastore_v2.json``."""

from __future__ import annotations

import json
from pathlib import Path

from monailabel.datastore.local import LocalDatastoreModel


def parse_index(path: Path) -> LocalDatastoreModel | None:
    """The index in a file; None if it is absent, torn or something else."""
    try:
        return LocalDatastoreModel.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def serialise_index(model: LocalDatastoreModel) -> bytes:
    """What `parse_index` reads back. The folder it lies in is left out: it may be moved."""
    try:
        return model.model_dump_json(exclude={"base_path"}).encode()
    except ValueError:  # a value in some information that is no JSON
        record = model.model_dump(exclude={"base_path"})
        return json.dumps(record, default=str, ensure_ascii=False).encode()


def backup_of(path: Path) -> Path:
    """The copy that is written now and then."""
    return path.with_name(f"{path.name}.backup")


def file_signature(path: Path) -> tuple[int, int, int] | None:
    """Changes whenever the file is replaced; None if there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return (state.st_mtime_ns, state.st_size, state.st_ino)
