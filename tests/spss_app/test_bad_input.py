"""Whatever arrives over HTTP: one clear sentence, a 4xx, and everything else as it was."""

import gzip
import itertools
import json

import nibabel as nib
import numpy as np
import pytest

from spss.annotation import Plane
from spss.volumes import Grid, write_label, write_map

INFO = [{"name": "front", "idx": 1}, {"name": "back", "idx": 2}]


def _refused(answer, *words, status=range(400, 500)):
    assert answer.status_code in status, answer.text
    detail = answer.json()["detail"]
    assert isinstance(detail, str)
    assert "Traceback" not in detail
    assert all(word in detail for word in words), detail
    return detail


def _nifti(folder, data, affine=None, name="label.nii.gz"):
    path = folder / name
    nib.save(nib.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
    return path


def _kept(server):
    return list((server.app.project.studies.own / "rejected").glob("*.nii.gz"))


def test_an_unknown_structure_is_named_and_the_label_kept(server, tmp_path):
    label = server.truth("phantom_000")
    info = [{"name": "front", "idx": 1}, {"name": "tumour", "idx": 2}]
    answer = server.submit_array("phantom_000", label, tmp_path, label_info=info)
    detail = _refused(answer, "'tumour'", "front, back", status=[422])
    assert _kept(server)[0].name in detail
    assert _kept(server)[0].read_bytes() == (tmp_path / "label.nii.gz").read_bytes()
    assert server.ledger.image_ids() == ()


def test_an_empty_label_without_a_plane_is_refused(server, tmp_path):
    empty = np.zeros(server.image("phantom_000").shape, np.uint8)
    _refused(server.submit_array("phantom_000", empty, tmp_path), "empty", "annotated_planes")
    assert server.ledger.image_ids() == ()


def test_a_label_of_another_shape_is_refused(server, tmp_path):
    path = _nifti(tmp_path, np.ones((5, 6, 7), np.uint8))
    _refused(server.submit("phantom_000", path, label_info=INFO), "(5, 6, 7)", "phantom_000")


def test_a_label_elsewhere_in_space_is_refused(server, tmp_path):
    image = server.image("phantom_000")
    affine = image.affine.copy()
    affine[0, 3] += 5
    path = _nifti(tmp_path, np.ones(image.shape, np.uint8), affine)
    _refused(server.submit("phantom_000", path, label_info=INFO), "elsewhere")


@pytest.mark.parametrize("content", [b"", b"not an image", gzip.compress(b"x" * 400)])
def test_a_broken_label_file_is_refused(server, tmp_path, content):
    path = tmp_path / "label.nii.gz"
    path.write_bytes(content)
    _refused(server.submit("phantom_000", path))


def test_a_truncated_label_file_is_refused_and_kept(server, tmp_path):
    image, whole = server.image("phantom_000"), tmp_path / "whole.nii.gz"
    write_label(whole, server.truth("phantom_000"), like=image)
    path = tmp_path / "label.nii.gz"
    path.write_bytes(whole.read_bytes()[:-30])
    _refused(server.submit("phantom_000", path, label_info=INFO), "corrupt or truncated")
    assert len(_kept(server)) == 1


@pytest.mark.parametrize("value", [0.5, np.nan, -1, 300])
def test_values_that_are_no_classes_are_refused(server, tmp_path, value):
    image = server.image("phantom_000")
    path = _nifti(tmp_path, np.full(image.shape, value, np.float32), image.affine)
    _refused(server.submit("phantom_000", path, label_info=INFO))


def test_a_4d_label_is_refused(server, tmp_path):
    path = _nifti(tmp_path, np.ones((4, 4, 4, 2), np.uint8))
    _refused(server.submit("phantom_000", path, label_info=INFO), "4-D")


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
def test_planes_that_cannot_be_are_refused(server, tmp_path, planes):
    answer = server.submit_array(
        "phantom_000", server.truth("phantom_000"), tmp_path, annotated_planes=planes
    )
    _refused(answer)


def test_unknown_names_are_404_with_a_choice(server):
    _refused(server.infer("nonsense", "phantom_000"), "spss", "propagate", status=[404])
    _refused(server.infer("spss", "nobody"), "nobody", status=[404])
    _refused(server.next("nonsense"), "self_paced", status=[404])
    _refused(server.http.post("/train/nonsense", json={}), "spss", status=[404])
    _refused(server.http.post("/scoring/nonsense", json={}), "self_paced", status=[404])
    _refused(server.http.post("/batch/infer/nonsense", json={}), "spss", status=[404])
    _refused(
        server.http.delete("/datastore/label", params={"id": "x", "tag": "final"}), status=[404]
    )
    _refused(server.http.put("/datastore/image/info", params={"image": "x"}), status=[404])
    assert server.http.get("/datastore/image", params={"image": "nobody"}).status_code == 404


def test_a_label_for_an_unknown_image_is_404(server, tmp_path):
    path = _nifti(tmp_path, np.ones((4, 4, 4), np.uint8))
    _refused(server.submit("nobody", path), "nobody", status=[404])


@pytest.mark.parametrize(
    "params",
    [
        {"result_extension": ".exe"},
        {"result_extension": "../x"},
        {"device": "x"},
        {"label_tag": "../../x"},
        {"label_tag": ["final"]},
        {"propagator": "magic"},
        {"save_label": "maybe"},
        {"image": "/etc/passwd"},
        {"image": ["phantom_000"]},
        {"image": "/tmp/../etc/passwd"},
        {"model": "nonsense"},
        {"image": "\0"},
    ],
)
def test_request_keys_are_typed_and_bounded(server, tmp_path, params, only_plane):
    label = only_plane(server.truth("phantom_000"), Plane(2, 6))
    server.submit_array("phantom_000", label, tmp_path)
    before = sorted(path for path in server.studies.rglob("*") if "spss" not in path.parts)
    _refused(server.infer("propagate", "phantom_000", output="json", **params))
    after = sorted(path for path in server.studies.rglob("*") if "spss" not in path.parts)
    assert after == before


@pytest.mark.parametrize("params", [{"axis": 7}, {"seed": "x"}, {"client_id": ["x"]}])
def test_strategy_options_are_checked(server, params):
    _refused(server.next(**params), status=[422])


@pytest.mark.parametrize(
    "params",
    [
        {"method": "magic"},
        {"iterations": "many"},
        {"iterations": -5},
        {"device": "tpu"},
        {"seed": 0.5},
        {"resume": "perhaps"},
    ],
)
def test_training_options_are_checked_before_a_process_starts(server, params):
    _refused(server.http.post("/train/spss", json=params), status=[422])


def test_a_prediction_cannot_become_a_final_label(server, tmp_path, only_plane):
    label = only_plane(server.truth("phantom_000"), Plane(2, 6))
    server.submit_array("phantom_000", label, tmp_path)
    answer = server.infer("propagate", "phantom_000", save_label=True, label_tag="final")
    _refused(answer, "final")


def _break(studies):
    """Adds one image of every kind that cannot be used."""
    folder = studies / "imagesTr"
    good = (folder / "phantom_000.nii.gz").read_bytes()
    (folder / "a_zero.nii.gz").write_bytes(b"")
    (folder / "a_text.nii.gz").write_text("this is no image")
    (folder / "a_torn.nii.gz").write_bytes(good[: len(good) // 2])
    _nifti(folder, np.ones((4, 5, 6, 7), np.float32), name="a_4d.nii.gz")
    _nifti(folder, np.full((6, 6, 6), np.nan, np.float32), name="a_nan.nii.gz")
    return {"a_zero", "a_text", "a_torn", "a_4d", "a_nan"}


def test_broken_images_are_skipped_and_named(serve, studies):
    broken = _break(studies)
    server = serve(studies)
    served, skipped = set(), set()
    for client in range(4):
        answer = server.next("first", client_id=f"client {client}").json()
        served.add(answer["id"])
        skipped |= set(answer["skipped"])
    assert served == {f"phantom_{index:03d}" for index in range(4)}
    assert skipped == broken
    for image_id in broken:
        _refused(server.infer("spss", image_id), image_id)


def test_a_folder_of_broken_images_has_no_sample(serve, tmp_path):
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "broken.nii.gz").write_bytes(b"x")
    answer = serve(folder, labels="organ").next()
    assert answer.status_code == 200
    assert answer.json() == {}


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


def test_the_first_submit_names_the_classes(serve, tmp_path):
    folder, grid = tmp_path / "studies", Grid((9, 10, 8), np.eye(4), "image")
    for name in "ab":
        image = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
        write_map(folder / f"{name}.nii.gz", image, like=grid)
    server = serve(folder)
    assert server.http.get("/info/").json()["labels"] == []
    assert server.next().status_code == 200
    label = np.zeros(grid.shape, np.uint8)
    label[2:5, 2:5, 4] = 2
    info = [{"name": "Leber", "idx": 1}, {"name": "Milz", "idx": 2}]
    said = server.submit_array("a", label, tmp_path, label_info=info).json()
    assert said["understood"].startswith("1 axial plane, 4: Milz")
    assert server.http.get("/info/").json()["labels"] == ["Leber", "Milz"]
    assert serve(folder).http.get("/info/").json()["labels"] == ["Leber", "Milz"]
    wrong = [{"name": "Niere", "idx": 2}]
    _refused(server.submit_array("b", label, tmp_path, label_info=wrong), "Niere", "Leber, Milz")


def test_parameters_of_any_json_do_not_break_the_server(server, tmp_path):
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
        _refused(answer)
    assert json.loads(server.http.get("/info/").text)["labels"] == ["front", "back"]
