"""A study's image as the ``.nii.gz`` file that data sets hold: same voxels, same place."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

from spss.errors import InputError
from spss.volumes import replace_atomically
from spss.volumes.files import image_ending

_COMPRESSION_LEVEL = 6


def copy_as_nifti(source: Path, target: Path) -> None:
    """Writes ``source`` as ``target``; a NIfTI file's content is not touched, only compressed.

    Args:
        source: NIfTI, NRRD or MetaImage.
        target: ends with ``.nii.gz``.

    Raises:
        InputError: the file cannot be read, or the copy not be written.
    """
    ending = image_ending(source).lower()
    try:
        with replace_atomically(target) as unfinished:
            if ending == ".nii.gz":
                shutil.copyfile(source, unfinished)
            elif ending == ".nii":
                with source.open("rb") as raw, gzip.open(unfinished, "wb", _COMPRESSION_LEVEL) as z:
                    shutil.copyfileobj(raw, z, 1 << 20)
            else:
                import SimpleITK as sitk

                sitk.WriteImage(sitk.ReadImage(str(source)), str(unfinished), useCompression=True)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        msg = f"Image {source.name} could not be copied to {target.parent}: {reason}."
        raise InputError(msg) from error
