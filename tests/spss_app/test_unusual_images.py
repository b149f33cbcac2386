"""Tiny, constant, turned and oddly named volumes go through the loop like any other."""

import itertools

import numpy as np
import pytest

from spss.annotation import Plane
from spss.volumes import Grid, write_map


@pytest.mark.parametrize("shape", [(12, 12, 1), (3, 3, 3), (1, 9, 9)])
def test_tiny_volumes_go_through_the_loop(serve, tmp_path, shape):
    folder = tmp_path / "studies"
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    write_map(folder / "tiny.nii.gz", image, like=Grid(shape, np.eye(4), "tiny"))
    server = serve(folder, labels="organ")
    answer = server.next().json()
    plane = Plane(answer["suggestion"]["axis"], answer["suggestion"]["index"])
    label = np.zeros(shape, np.uint8)
    label[plane.slices] = 1
    said = server.submit_array("tiny", label, tmp_path, label_info=[{"name": "organ", "idx": 1}])
    assert said.status_code == 200, said.text
    assert (server.infer_label("propagate", "tiny", tmp_path)[plane.slices] == 1).all()
    assert server.next().status_code == 200


def test_a_constant_image_goes_through_the_loop(serve, tmp_path):
    folder = tmp_path / "studies"
    grid = Grid((9, 9, 9), np.eye(4), "flat")
    write_map(folder / "flat.nii.gz", np.ones(grid.shape, np.float32), like=grid)
    server = serve(folder, labels="organ")
    label = np.zeros(grid.shape, np.uint8)
    label[3:6, 3:6, 4] = 1
    assert server.submit_array("flat", label, tmp_path).status_code == 200
    assert server.infer("propagate", "flat", output="json").status_code < 500


def _orientations():
    for permutation in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            affine = np.zeros((4, 4))
            affine[3, 3] = 1
            for voxel, patient in enumerate(permutation):
                affine[patient, voxel] = signs[voxel] * (1 + 0.5 * voxel)
            yield affine
    oblique = np.eye(4)
    oblique[:3, :3] = [[0.96, -0.2, 0.19], [0.2, 0.98, 0.03], [-0.19, 0.0, 0.98]]
    yield np.linalg.qr(oblique)[0] @ np.diag([1, 1.2, 2.5, 1])


def test_labels_come_back_on_the_images_grid_in_every_orientation(serve, tmp_path, only_plane):
    folder, shape = tmp_path / "studies", (9, 10, 8)
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    truth = np.zeros(shape, np.uint8)
    truth[2:7, 3:8, 2:6] = 1
    affines = list(_orientations())
    for index, affine in enumerate(affines):
        path = folder / f"turned_{index:02d}.nii.gz"
        write_map(path, image, like=Grid(shape, affine, "image"))
    server = serve(folder, labels="organ", propagator="copy")
    for index, affine in enumerate(affines):
        image_id, plane = f"turned_{index:02d}", Plane(index % 3, 4)
        ending = (".nii.gz", ".nrrd")[index % 2]
        said = server.submit_array(image_id, only_plane(truth, plane), tmp_path, ending)
        assert plane.anatomical_name(affine) in said.json()["understood"]
        volume = server.infer_label("propagate", image_id, tmp_path, ending)  # checks the grid
        assert (volume[plane.slices] == truth[plane.slices]).all()


NAMES = ["with space", "dotted.name.v2", "Größe_ü", "patient.1", "patient.2", "日本", "a+b&c=d%20"]


def test_any_file_name_goes_through_the_loop(serve, tmp_path, only_plane):
    folder, grid = tmp_path / "studies", Grid((9, 10, 8), np.eye(4), "image")
    truth = np.zeros(grid.shape, np.uint8)
    truth[2:7, 3:8, 2:6] = 1
    for index, name in enumerate(NAMES):
        image = np.random.default_rng(index).normal(size=grid.shape).astype(np.float32)
        write_map(folder / f"{name}.nii.gz", image, like=grid)
    server = serve(folder, labels="organ", propagator="copy")
    assert sorted(server.app.datastore().list_images()) == sorted(NAMES)
    for index, name in enumerate(NAMES):
        label = only_plane(truth, Plane(2, 2 + index % 4))
        assert server.submit_array(name, label, tmp_path).status_code == 200
    for index, name in enumerate(NAMES):
        assert server.ledger.standing(name).planes == (Plane(2, 2 + index % 4),)
        assert server.infer_label("propagate", name, tmp_path).any()
        assert server.http.get("/datastore/label", params={"label": name, "tag": "final"}).content
