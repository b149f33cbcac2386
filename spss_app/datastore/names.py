"""Which ids, tags and file endings may come from outside."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from spss.errors import InputError
from spss.volumes import image_name
from spss.volumes.files import image_ending

IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
"""Files in the studies folder that are images; ``.seg.nrrd`` is a segmentation."""

LABEL_ENDINGS = (*IMAGE_ENDINGS, ".seg.nrrd")

FINAL = "final"
ORIGINAL = "original"

_LONGEST_ID_BYTES = 180  # with ending and temporary prefix still a legal file name
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def check_new_id(image_id: str) -> str:
    """Returns the id if a file may be named so on every system.

    Spaces, dots inside and letters of any language are fine; anything that could leave the folder
    or hide in it is not.

    Raises:
        InputError: separators, control characters, a leading dot, a reserved name, or too long.
    """
    bad = [
        c for c in image_id if c in '/\\:*?"<>|' or unicodedata.category(c) in ("Cc", "Cf", "Cs")
    ]
    ends_badly = image_id != image_id.strip() or image_id.startswith(".") or image_id.endswith(".")
    size = len(image_id.encode("utf-8", "replace"))
    if bad or not image_id or ends_badly or _RESERVED.fullmatch(image_id):
        msg = (
            f"{image_id!r} cannot name an image: use letters, digits, spaces, '.', '_' and '-', "
            "not starting or ending with a dot or a space."
        )
        raise InputError(msg)
    if size > _LONGEST_ID_BYTES:
        msg = f"The image's name has {size} bytes: use at most {_LONGEST_ID_BYTES}."
        raise InputError(msg)
    return image_id


def check_tag(tag: str) -> str:
    """Returns the tag if it can name a folder of labels.

    Raises:
        InputError: it holds anything but letters, digits, ``_`` and ``-``.
    """
    if not _TAG.fullmatch(tag):
        msg = f"{tag!r} is no label tag: use letters, digits, '_' and '-' (such as 'final')."
        raise InputError(msg)
    return str(tag)


def check_ending(file: str | Path, allowed: tuple[str, ...] = LABEL_ENDINGS) -> str:
    """The file's ending, lower case.

    Raises:
        InputError: it is none of ``allowed``.
    """
    ending = image_ending(file).lower()
    if ending not in allowed:
        got = Path(file).suffix or "no ending"
        msg = f"A file with {got!r} is not read here: send one of {', '.join(allowed)}."
        raise InputError(msg)
    return ending


def uploaded_id(image_id: str, temporary_file: str | Path) -> str:
    """The id an upload should have.

    MONAI Label takes all that follows the first dot of the file's name for its ending: the id of
    ``patient.1.nii.gz`` comes as ``patient``, the file as ``tmpabc.1.nii.gz``. What it cut off is
    put back, so that ``patient.1`` and ``patient.2`` stay two images.
    """
    cut_off = "".join(Path(image_name(temporary_file)).suffixes)
    return image_id if image_id.endswith(cut_off) else image_id + cut_off
