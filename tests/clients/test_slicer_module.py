from __future__ import annotations

import json
from email.parser import BytesParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from spss_apps.child_server import free_port

SAMPLE = {
    "id": "case 7",
    "name": "case 7.nii.gz",
    "PatientID": "case 7 \u2192 axial 57",
    "path": "/nowhere/case 7.nii.gz",
    "suggestion": {
        "axis": 2,
        "index": 57,
        "name": "axial",
        "point_ras_mm": [1.5, -2.0, 30.25],
        "normal_ras": [0.0, 0.0, 1.0],
        "reason": "no plane is drawn near it",
    },
}


def test_it_asks_for_the_next_plane_and_reads_the_suggestion(
    module: ModuleType, recorder: Any
) -> None:
    recorder.answer = json.dumps(SAMPLE).encode()
    plane = module.Server(recorder.url, "anna").next_plane("self_paced")
    method, path, _, body = recorder.requests[0]
    assert (method, path) == ("POST", "/activelearning/self_paced")
    assert json.loads(body) == {"client_id": "anna"}
    assert (plane.image_id, plane.axis, plane.index) == ("case 7", 2, 57)
    assert plane.point_ras == (1.5, -2.0, 30.25)
    assert plane.display_name == "case 7 \u2192 axial 57"
    assert plane.text == "axial plane 57: no plane is drawn near it"


def test_the_volume_is_downloaded_unless_the_servers_file_can_be_read_here(
    module: ModuleType, recorder: Any, tmp_path: Path
) -> None:
    recorder.answer = b"voxels"
    plane = module.NextPlane.from_sample(SAMPLE)
    file = module.Server(recorder.url).download_image(plane, str(tmp_path))
    assert Path(file) == tmp_path / "case 7.nii.gz"
    assert Path(file).read_bytes() == b"voxels"
    assert recorder.requests[0][1] == "/datastore/image?image=case+7"
    here = module.NextPlane.from_sample({**SAMPLE, "path": file})
    assert module.Server(recorder.url).download_image(here, "/") == file
    assert len(recorder.requests) == 1


def test_a_name_with_folders_in_it_stays_in_the_folder(
    module: ModuleType, recorder: Any, tmp_path: Path
) -> None:
    plane = module.NextPlane.from_sample({**SAMPLE, "name": "../../evil.nii.gz"})
    file = module.Server(recorder.url).download_image(plane, str(tmp_path))
    assert Path(file) == tmp_path / "evil.nii.gz"


def test_a_submit_names_the_plane_and_the_segments(
    module: ModuleType, recorder: Any, tmp_path: Path
) -> None:
    recorder.answer = json.dumps({"understood": "1 axial plane, 57"}).encode()
    label = tmp_path / "label.nii.gz"
    label.write_bytes(b"\x00\xff\r\n--not a boundary")
    plane = module.NextPlane.from_sample(SAMPLE)
    segments = module.exported_segments(["background", "anterior", "posterior"])
    said = module.Server(recorder.url, "anna", token="secret").submit(plane, str(label), segments)
    assert said == "1 axial plane, 57"
    method, path, headers, body = recorder.requests[0]
    assert (method, path) == ("PUT", "/datastore/label?image=case+7")
    assert headers["Authorization"] == "Bearer secret"
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + body).get_payload()
    assert json.loads(parts[0].get_payload(decode=True)) == {
        "label_info": [{"name": "anterior", "idx": 1}, {"name": "posterior", "idx": 2}],
        "annotated_planes": [{"axis": 2, "index": 57}],
        "client_id": "anna",
    }
    assert parts[1].get_filename() == "label.nii.gz"
    assert parts[1].get_payload(decode=True) == label.read_bytes()


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (422, b'{"detail": "There is no structure \'liver\' in this task."}', "no structure"),
        (401, b'{"detail": "A token is needed."}', "A token is needed. .see the field Token."),
        (500, b"Internal Server Error", "HTTP 500: Internal Server Error"),
        (200, b"{}", "no image left"),
        (200, b'{"id": "case 7"}', "suggests no plane"),
    ],
)
def test_what_the_server_says_is_shown_as_one_sentence(
    module: ModuleType, recorder: Any, status: int, answer: bytes, words: str
) -> None:
    recorder.status, recorder.answer = status, answer
    with pytest.raises(module.ServerError, match=words):
        module.Server(recorder.url).next_plane("first")


@pytest.mark.parametrize(
    ("info", "labels"),
    [
        ({"labels": ["background", "anterior", "posterior"]}, ["anterior", "posterior"]),
        ({"labels": None}, []),
        ({}, []),
    ],
)
def test_the_structures_to_draw_are_asked_for(
    module: ModuleType, recorder: Any, info: dict[str, Any], labels: list[str]
) -> None:
    recorder.answer = json.dumps(info).encode()
    assert module.Server(recorder.url).labels() == labels
    assert recorder.requests[0][:2] == ("GET", "/info/")


def test_the_strategy_is_the_one_that_the_server_lists_first(
    module: ModuleType, recorder: Any
) -> None:
    recorder.answer = json.dumps({"strategies": {"strided": {}, "first": {}}}).encode()
    assert module.Server(recorder.url).default_strategy() == "strided"
    recorder.answer = b'{"strategies": {}}'
    with pytest.raises(module.ServerError, match="offers no strategy"):
        module.Server(recorder.url).default_strategy()


def test_a_server_that_is_away_is_said_to_be_away(module: ModuleType) -> None:
    with pytest.raises(module.ServerError, match="your drawing is still here"):
        module.Server(f"http://127.0.0.1:{free_port()}").next_plane("first")
