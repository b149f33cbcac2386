"""Images kept in memory between "next sample" and the inference that follows it."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from pathlib import Path

from spss.errors import InputError
from spss.volumes import Grid, Volume, read_grid, read_image

_KEPT_BYTES = 1024**3

Signature = tuple[str, int, int]


class VolumeCache:
    """Reads images and headers, once for each version of a file.

    What cannot be read is remembered too, so that one broken file costs one attempt.
    """

    def __init__(self) -> None:
        self._volumes: OrderedDict[Signature, Volume] = OrderedDict()
        self._grids: dict[Signature, Grid | str] = {}
        self._checksums: dict[Signature, str] = {}
        self._guard = threading.Lock()

    def volume(self, path: Path) -> Volume:
        """The image.

        Raises:
            InputError: the file cannot be used.
        """
        key = _signature(path)
        with self._guard:
            if key in self._volumes:
                self._volumes.move_to_end(key)
                return self._volumes[key]
        try:
            volume = read_image(path)
        except InputError as error:
            self._grids[key] = str(error)
            raise
        with self._guard:
            self._volumes[key] = volume
            self._grids[key] = volume.grid
            while len(self._volumes) > 1 and self._size() > _KEPT_BYTES:
                self._volumes.popitem(last=False)
        return volume

    def grid(self, path: Path) -> Grid:
        """Shape and affine; for a file that turned out to be broken, its error.

        Raises:
            InputError: the file cannot be used.
        """
        key = _signature(path)
        known = self._grids.get(key)
        if known is None:
            try:
                known = read_grid(path)
            except InputError as error:
                known = str(error)
            self._grids[key] = known
        if isinstance(known, str):
            raise InputError(known)
        return known

    def checksum(self, path: Path) -> str:
        """``SHA256:…`` of the file, by which Slicer tells whether its cached copy is this image."""
        key = _signature(path)
        if key not in self._checksums:
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            self._checksums[key] = f"SHA256:{digest.hexdigest()}"
        return self._checksums[key]

    def _size(self) -> int:
        return sum(volume.data.nbytes for volume in self._volumes.values())


def _signature(path: Path) -> Signature:
    """Changes when somebody replaces the file."""
    try:
        state = path.stat()
    except OSError as error:
        msg = f"Image file {path.name} cannot be opened ({error.strerror})."
        raise InputError(msg) from error
    return (str(path), state.st_mtime_ns, state.st_size)
