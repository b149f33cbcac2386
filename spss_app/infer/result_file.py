"""The file that answers an inference request."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spss.types import ClassMap
from spss.volumes import write_label
from spss.volumes.grid import OnGrid
from spss_app.label_names import label_names
from spss_app.request_keys import Parser, device, flag, one_of, text

RESULT_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".seg.nrrd", ".mha")

INFER_KEYS: dict[str, Parser] = {
    "model": text(),
    "image": text(4096),
    "client_id": text(),
    "device": device,
    "result_extension": one_of(RESULT_ENDINGS),
    "result_compress": flag,
    "save_label": flag,
    "label_tag": text(64),
}
"""What every inference request may say."""


def write_result(
    classes: ClassMap,
    class_names: Sequence[str],
    *,
    like: OnGrid,
    request: Mapping[str, Any],
    message: str,
) -> tuple[str, dict[str, Any]]:
    """Writes a label map for the answer; MONAI Label deletes the file once it is sent.

    OHIF asks for no compression, and means it: the compressed file of a volume with an odd number
    of voxels ends its panel with a RangeError.

    Returns:
        The file, and what goes beside it: ``label_names`` and a message.
    """
    ending = request.get("result_extension", ".nii.gz")
    compress = bool(request.get("result_compress", True))
    handle, name = tempfile.mkstemp(prefix="spss-", suffix=ending)
    os.close(handle)
    write_label(Path(name), classes, like=like, compress=compress)
    names = label_names(classes, class_names)
    return name, {"label_names": names, "classes": list(class_names), "message": message}
