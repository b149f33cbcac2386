"""Names of image files: which endings are images, and what the image is called."""

from __future__ import annotations

from pathlib import Path

NIFTI_ENDINGS = (".nii.gz", ".nii")
ITK_ENDINGS = (".seg.nrrd", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm")
IMAGE_ENDINGS = NIFTI_ENDINGS + ITK_ENDINGS


def image_name(path: str | Path) -> str:
    """The file's name without its image ending: ``patient.1.nii.gz`` is ``patient.1``.

    A name without a known ending, such as a DICOM folder's, stays as it is.
    """
    name = Path(path).name
    return name[: len(name) - len(image_ending(name))]


def image_ending(path: str | Path) -> str:
    """The ending that says the format, lower-case letters or not; empty if it is not an image's."""
    name = Path(path).name
    for ending in IMAGE_ENDINGS:
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[-len(ending) :]
    return ""


def is_image_file(path: Path) -> bool:
    """True for a visible file with an image ending; macOS's ``._name`` companions are hidden."""
    return path.is_file() and not path.name.startswith(".") and bool(image_ending(path))


def list_images(folder: Path) -> list[Path]:
    """The image files directly in ``folder``, sorted by name; none if it is not a folder."""
    return (
        sorted(path for path in folder.iterdir() if is_image_file(path)) if folder.is_dir() else []
    )
