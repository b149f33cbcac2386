"""Label files as viewers write them."""

import numpy as np
import pytest
import SimpleITK as sitk

from spss.errors import InputError
from spss.volumes import Grid, write_label
from spss_app.submit.label_reader import read_label_file

AFFINE = np.array(
    [[0.9, 0.1, 0.0, 5.0], [-0.1, 1.1, 0.0, -7.0], [0.0, 0.0, 2.5, 11.0], [0.0, 0.0, 0.0, 1.0]]
)
GRID = Grid((8, 9, 7), AFFINE, "image")


def _label():
    return np.random.default_rng(0).integers(0, 3, GRID.shape).astype(np.uint8)


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_label_maps_of_every_format_are_read(tmp_path, ending):
    grid = Grid(GRID.shape, np.diag([0.8, 1.2, 2.5, 1.0]), "image")
    path = tmp_path / f"label{ending}"
    write_label(path, _label(), like=grid)
    read = read_label_file(path, like=grid)
    assert (read.values == _label()).all()
    assert read.names == {}


def _write_segmentation(path, layers, segments, start=(0, 0, 0)):
    """As Slicer does: cropped, segments named in the header, overlapping ones in layers."""
    grid = np.diag([0.8, 1.2, 2.5, 1.0])
    image = (
        sitk.GetImageFromArray(layers[0].T)
        if len(layers) == 1
        else sitk.GetImageFromArray(np.stack([layer.T for layer in layers], -1), isVector=True)
    )
    image.SetSpacing((0.8, 1.2, 2.5))
    ras = grid[:3, :3] @ np.asarray(start, float)
    image.SetOrigin((-ras[0], -ras[1], ras[2]))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    for number, (name, layer, value) in enumerate(segments):
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_Layer", str(layer))
        image.SetMetaData(f"Segment{number}_LabelValue", str(value))
    sitk.WriteImage(image, str(path), useCompression=True)
    return Grid((8, 9, 7), grid, "image")


def test_a_cropped_slicer_segmentation_lands_where_it_belongs(tmp_path):
    part = np.zeros((3, 4, 2), np.uint8)
    part[1, 2, 1] = 1
    part[0, 0, 0] = 7
    path = tmp_path / "label.seg.nrrd"
    grid = _write_segmentation(
        path, [part], [("posterior", 0, 7), ("anterior", 0, 1)], start=(2, 3, 4)
    )
    read = read_label_file(path, like=grid)
    assert read.names == {1: "posterior", 2: "anterior"}
    assert read.values[2, 3, 4] == 1
    assert read.values[3, 5, 5] == 2
    assert (read.values > 0).sum() == 2


def test_overlapping_segments_are_read_from_their_layers(tmp_path):
    layers = [np.zeros((8, 9, 7), np.uint8) for _ in range(2)]
    layers[0][:4] = 1
    layers[1][3:5] = 1
    path = tmp_path / "label.seg.nrrd"
    grid = _write_segmentation(path, layers, [("organ", 0, 1), ("tumour", 1, 1)])
    read = read_label_file(path, like=grid)
    assert (read.values[:3] == 1).all()
    assert (read.values[3:5] == 2).all()
    assert not read.values[5:].any()


def test_a_segmentation_of_another_grid_is_refused(tmp_path):
    path = tmp_path / "label.seg.nrrd"
    grid = _write_segmentation(path, [np.ones((3, 4, 2), np.uint8)], [("a", 0, 1)], (0.5, 0, 0))
    with pytest.raises(InputError):
        read_label_file(path, like=grid)


def test_a_torn_file_is_refused(tmp_path):
    path = tmp_path / "label.nrrd"
    grid = _write_segmentation(path, [np.ones((8, 9, 7), np.uint8)], [])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError):
        read_label_file(path, like=grid)


def _spoiled(tmp_path, key, value):
    """A good segmentation with one header field changed."""
    path = tmp_path / "label.seg.nrrd"
    grid = _write_segmentation(path, [np.ones((3, 4, 2), np.uint8)], [("front", 0, 1)])
    image = sitk.ReadImage(str(path))
    image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path))
    return path, grid


@pytest.mark.parametrize("key", ["Segment0_Layer", "Segment0_LabelValue"])
def test_a_header_without_a_number_is_refused_by_name(tmp_path, key):
    path, grid = _spoiled(tmp_path, key, "first")
    with pytest.raises(InputError, match=f"{key} is 'first'") as refusal:
        read_label_file(path, like=grid)
    assert type(refusal.value) is InputError


def test_a_header_that_claims_more_voxels_than_the_image_is_refused_before_reading(tmp_path):
    path, grid = _spoiled(tmp_path, "Segment0_Layer", "0")
    head, _, voxels = path.read_bytes().partition(b"sizes: 3 4 2")
    assert voxels
    path.write_bytes(head + b"sizes: 30000 30000 30000" + voxels)
    with pytest.raises(InputError, match=r"has shape \(30000, 30000, 30000\)"):
        read_label_file(path, like=grid)


def test_more_layers_than_segments_are_refused(tmp_path):
    path = tmp_path / "label.seg.nrrd"
    layers = [np.ones((3, 4, 2), np.uint8)] * 3
    grid = _write_segmentation(path, layers, [("front", 0, 1)])
    with pytest.raises(InputError, match="1 segments in 3 layers"):
        read_label_file(path, like=grid)


def test_a_segmentation_cannot_have_another_file_read_as_its_voxels(tmp_path):
    grid = _write_segmentation(tmp_path / "x.seg.nrrd", [_label()], [("front", 0, 1)])
    head = (tmp_path / "x.seg.nrrd").read_bytes().split(b"\n\n", 1)[0]
    secret = tmp_path / "private.raw"
    secret.write_bytes(_label().T.tobytes())
    (tmp_path / "sent").mkdir()
    sent = tmp_path / "sent" / "label.seg.nrrd"
    plain = head.replace(b"encoding: gzip", b"encoding: raw")
    sent.write_bytes(plain + f"\ndata file: {secret}\n\n".encode())
    with pytest.raises(InputError, match="not in the file or beside it"):
        read_label_file(sent, like=grid)
