"""A label that cannot be used: refused with one sentence, kept, and everything else as it was."""

import gzip
import json

import nibabel as nib
import numpy as np
import pytest

from spss.volumes import write_label

INFO = [{"name": "front", "idx": 1}, {"name": "back", "idx": 2}]


def _nifti(folder, data, affine=None):
    path = folder / "label.nii.gz"
    nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
    return path


def _kept(server):
    return list((server.app.project.studies.own / "rejected").glob("*.nii.gz"))


def test_an_unknown_structure_is_named_and_the_label_kept(server, refused, tmp_path):
    label = server.truth("phantom_000")
    info = [{"name": "front", "idx": 1}, {"name": "tumour", "idx": 2}]
    answer = server.submit_array("phantom_000", label, tmp_path, label_info=info)
    detail = refused(answer, "'tumour'", "front, back", status=[422])
    assert _kept(server)[0].name in detail
    assert _kept(server)[0].read_bytes() == (tmp_path / "label.nii.gz").read_bytes()
    assert server.ledger.image_ids() == ()


def test_an_empty_label_without_a_plane_is_refused(server, refused, tmp_path):
    empty = np.zeros(server.image("phantom_000").shape, np.uint8)
    refused(server.submit_array("phantom_000", empty, tmp_path), "empty", "annotated_planes")
    assert server.ledger.image_ids() == ()


def test_a_label_of_another_shape_is_refused(server, refused, tmp_path):
    path = _nifti(tmp_path, np.ones((5, 6, 7), np.uint8))
    refused(server.submit("phantom_000", path, label_info=INFO), "(5, 6, 7)", "phantom_000")


def test_a_label_elsewhere_in_space_is_refused(server, refused, tmp_path):
    image = server.image("phantom_000")
    affine = image.affine.copy()
    affine[0, 3] += 5
    path = _nifti(tmp_path, np.ones(image.shape, np.uint8), affine)
    refused(server.submit("phantom_000", path, label_info=INFO), "elsewhere")


@pytest.mark.parametrize("content", [b"", b"not an image", gzip.compress(b"x" * 400)])
def test_a_broken_label_file_is_refused(server, refused, tmp_path, content):
    path = tmp_path / "label.nii.gz"
    path.write_bytes(content)
    refused(server.submit("phantom_000", path))


def test_a_truncated_label_file_is_refused_and_kept(server, refused, tmp_path):
    image, whole = server.image("phantom_000"), tmp_path / "whole.nii.gz"
    write_label(whole, server.truth("phantom_000"), like=image)
    path = tmp_path / "label.nii.gz"
    path.write_bytes(whole.read_bytes()[:-30])
    refused(server.submit("phantom_000", path, label_info=INFO), "corrupt or truncated")
    assert len(_kept(server)) == 1


@pytest.mark.parametrize("value", [0.5, np.nan, -1, 300])
def test_values_that_are_no_classes_are_refused(server, refused, tmp_path, value):
    image = server.image("phantom_000")
    path = _nifti(tmp_path, np.full(image.shape, value, np.float32), image.affine)
    refused(server.submit("phantom_000", path, label_info=INFO))


def test_a_4d_label_is_refused(server, refused, tmp_path):
    path = _nifti(tmp_path, np.ones((4, 4, 4, 2), np.uint8))
    refused(server.submit("phantom_000", path, label_info=INFO), "4-D")


@pytest.mark.parametrize(
    "planes",
    [
        [{"axis": 3, "index": 0}],
        [{"axis": 0, "index": 999}],
        [{"axis": 0}],
        [],
        7,
        "all",
        "[{",
        [[0, 1, 2]],
        [{"axis": "0", "index": 1}],
        [{"axis": 0, "index": True}],
    ],
)
def test_planes_that_cannot_be_are_refused(server, refused, tmp_path, planes):
    answer = server.submit_array(
        "phantom_000", server.truth("phantom_000"), tmp_path, annotated_planes=planes
    )
    refused(answer)


def test_a_label_for_an_unknown_image_is_404(server, refused, tmp_path):
    path = _nifti(tmp_path, np.ones((4, 4, 4), np.uint8))
    refused(server.submit("nobody", path), "nobody", status=[404])


def test_parameters_of_any_json_do_not_break_the_server(server, refused, tmp_path):
    for params in ('{"label_info": 5}', '{"client_id": {"a": 1}}', '{"label_info": [[]]}', "{}"):
        with (tmp_path / "label.nii.gz").open("wb") as stream:
            stream.write(b"junk")
        with (tmp_path / "label.nii.gz").open("rb") as stream:
            answer = server.http.put(
                "/datastore/label",
                params={"image": "phantom_000"},
                data={"params": params},
                files={"label": ("label.nii.gz", stream)},
            )
        refused(answer)
    assert json.loads(server.http.get("/info/").text)["labels"] == ["front", "back"]
