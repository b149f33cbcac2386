"""Names, keys and options that cannot be: a 4xx with a sentence, and nothing is done."""

import pytest

from spss.annotation import Plane


def test_unknown_names_are_404_with_a_choice(server, refused):
    refused(server.infer("nonsense", "phantom_000"), "spss", "propagate", status=[404])
    refused(server.infer("spss", "nobody"), "nobody", status=[404])
    refused(server.next("nonsense"), "self_paced", status=[404])
    refused(server.http.post("/train/nonsense", json={}), "spss", status=[404])
    refused(server.http.post("/scoring/nonsense", json={}), "self_paced", status=[404])
    refused(server.http.post("/batch/infer/nonsense", json={}), "spss", status=[404])
    refused(
        server.http.delete("/datastore/label", params={"id": "x", "tag": "final"}), status=[404]
    )
    refused(server.http.put("/datastore/image/info", params={"image": "x"}), status=[404])
    assert server.http.get("/datastore/image", params={"image": "nobody"}).status_code == 404


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
def test_request_keys_are_typed_and_bounded(server, refused, tmp_path, params, only_plane):
    label = only_plane(server.truth("phantom_000"), Plane(2, 6))
    server.submit_array("phantom_000", label, tmp_path)
    before = sorted(path for path in server.studies.rglob("*") if "spss" not in path.parts)
    refused(server.infer("propagate", "phantom_000", output="json", **params))
    after = sorted(path for path in server.studies.rglob("*") if "spss" not in path.parts)
    assert after == before


@pytest.mark.parametrize("params", [{"axis": 7}, {"seed": "x"}, {"client_id": ["x"]}])
def test_strategy_options_are_checked(server, refused, params):
    refused(server.next(**params), status=[422])


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
def test_training_options_are_checked_before_a_process_starts(server, refused, params):
    refused(server.http.post("/train/spss", json=params), status=[422])


def test_a_prediction_cannot_become_a_final_label(server, refused, tmp_path, only_plane):
    label = only_plane(server.truth("phantom_000"), Plane(2, 6))
    server.submit_array("phantom_000", label, tmp_path)
    answer = server.infer("propagate", "phantom_000", save_label=True, label_tag="final")
    refused(answer, "final")
