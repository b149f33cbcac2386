"""MetaImage files whose damaged voxels would keep ITK busy for ever."""

import subprocess
import sys
import zlib

import numpy as np
import pytest

from spss.errors import InputError
from spss.volumes import Grid, read_label, write_label
from spss.volumes.metaimage import damage_of

SHAPE = (4, 5, 6)
VOXELS = np.arange(120, dtype=np.uint8) % 3

_READ = """
import sys
from spss.errors import InputError
from spss.volumes import read_label
try:
    read_label(sys.argv[1])
except InputError as error:
    print(error)
"""


def _write(path, data, size=None):
    header = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nCompressedData = True\n"
        f"CompressedDataSize = {len(data) if size is None else size}\nDimSize = 4 5 6\n"
        "ElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    )
    path.write_bytes(header.encode() + data)
    return path


def test_whole_files_are_read(tmp_path):
    ours = tmp_path / "ours.mha"
    write_label(ours, VOXELS.reshape(SHAPE), like=Grid(SHAPE, np.eye(4), "image"))
    assert damage_of(ours, SHAPE) == ""
    assert (read_label(ours) == VOXELS.reshape(SHAPE)).all()
    theirs = _write(tmp_path / "theirs.mha", zlib.compress(VOXELS.tobytes()))
    assert (read_label(theirs) == VOXELS.reshape(SHAPE[::-1]).T).all()


@pytest.mark.parametrize(
    ("data", "size", "words"),
    [
        (b"x = 0 0 0\nno stream at all", None, "damaged"),
        (zlib.compress(VOXELS.tobytes())[:-8], None, "too early"),
        (zlib.compress(VOXELS.tobytes()), 9, "too early"),
        (b"", 0, "too early"),
        (zlib.compress(bytes(10_000_000)), None, "more compressed voxels"),
    ],
    ids=["no stream", "cut off", "size too small", "nothing", "far too much"],
)
def test_damaged_voxels_are_refused_in_one_sentence_and_in_time(tmp_path, data, size, words):
    file = _write(tmp_path / "label.mha", data, size)
    assert words in damage_of(file, SHAPE)
    said = subprocess.run(
        [sys.executable, "-c", _READ, str(file)], capture_output=True, text=True, timeout=120
    )
    assert "label.mha cannot be read" in said.stdout
    with pytest.raises(InputError, match=words):
        read_label(file)
