"""A header from elsewhere cannot have other files of this machine read as its voxels."""

import numpy as np
import pytest

from spss.errors import InputError
from spss.volumes import read_label

NRRD = (
    "NRRD0004\ntype: uint8\ndimension: 3\nspace: left-posterior-superior\nsizes: 4 5 6\n"
    "space directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\nencoding: raw\n"
    "space origin: (0,0,0)\n{field}: {name}\n\n"
)
META = (
    "ObjectType = Image\nNDims = {dimensions}\nBinaryData = True\nCompressedData = False\n"
    "DimSize = 4 5 6\nElementType = MET_UCHAR\nElementDataFile = {name}\n"
)
VOXELS = (np.arange(120) % 3).astype(np.uint8)


@pytest.fixture
def secret(tmp_path):
    """A file of 120 bytes in another folder, and a folder for headers."""
    (tmp_path / "private").mkdir()
    (tmp_path / "sent").mkdir()
    file = tmp_path / "private" / "secret.raw"
    file.write_bytes(VOXELS.tobytes())
    return file


@pytest.mark.parametrize("ending", [".mha", ".mhd", ".nrrd", ".nhdr"])
@pytest.mark.parametrize("field", ["data file", "datafile", "DATA FILE"])
@pytest.mark.parametrize(
    "name", ["{secret}", "../private/secret.raw", "LIST", "LIST 2", "x%03d.raw 1 9 1", ""]
)
def test_voxels_of_other_folders_are_never_read(secret, ending, field, name):
    header = META if ending.startswith(".m") else NRRD
    text = header.format(field=field, name=name.format(secret=secret), dimensions=3)
    sent = secret.parents[1] / "sent" / f"label{ending}"
    sent.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="not in the file or beside it"):
        read_label(sent)


@pytest.mark.parametrize("ending", [".mhd", ".nhdr"])
def test_voxels_beside_the_header_are_read(secret, ending):
    header = META if ending == ".mhd" else NRRD
    sent = secret.parent / f"label{ending}"
    sent.write_text(
        header.format(field="data file", name=secret.name, dimensions=3), encoding="utf-8"
    )
    assert (read_label(sent) == VOXELS.reshape(6, 5, 4).T).all()


@pytest.mark.parametrize("dimensions", ["5" * 40, "0", "-3", "three", "3 3", ""])
def test_an_impossible_number_of_dimensions_is_refused(tmp_path, dimensions):
    sent = tmp_path / "label.mha"
    sent.write_bytes(META.format(name="LOCAL", dimensions=dimensions).encode() + VOXELS.tobytes())
    with pytest.raises(InputError, match="number of dimensions"):
        read_label(sent)


def test_a_header_without_end_is_refused(tmp_path):
    sent = tmp_path / "label.nrrd"
    sent.write_text("NRRD0004\n" + "# nothing\n" * 500_000, encoding="utf-8")
    with pytest.raises(InputError, match="does not end"):
        read_label(sent)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("NDims = 3\n", ""),
        ("NDims", "NDims\0\0\0"),
        ("NDims = 3", "NDims = 3\nNDims = 3"),
        ("DimSize = 4 5 6", "DimSize = 4 5"),
        ("DimSize = 4 5 6", "DimSize = 4 5 -6"),
        ("MET_UCHAR", "MET_STRING"),
        ("ElementType = MET_UCHAR\n", ""),
        ("DimSize", "ElementSpacing = 1 1\nDimSize"),
        ("DimSize", "TransformMatrix = 1 0 0 0 & 0 0 0 1\nDimSize"),
        ("DimSize", "Offset = 0 0 nan\nDimSize"),
        ("DimSize", f"Comment = {'x' * 5000}\nDimSize"),
    ],
)
def test_a_metaimage_whose_header_itk_would_stumble_over_is_refused(tmp_path, old, new):
    sent = tmp_path / "label.mha"
    header = META.format(name="LOCAL", dimensions=3)
    sent.write_bytes(header.encode() + VOXELS.tobytes())
    assert (read_label(sent) == VOXELS.reshape(6, 5, 4).T).all()
    sent.write_bytes(header.replace(old, new, 1).encode() + VOXELS.tobytes())
    with pytest.raises(InputError, match="its header"):
        read_label(sent)
