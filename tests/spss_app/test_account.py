"""Who did what is on record, and the log that others read names nobody."""

import hashlib
import io
import logging

import numpy as np
import pytest

from spss.annotation import Plane
from spss.studies import AuditLog
from spss_app.log_privacy import HiddenNames, keep_ids_out_of_logs, pseudonym
from spss_app.serving.who import WHO

PATIENT = "Doe^Jane_19700101"
SPACED = "Müller Jörg 7.b"


@pytest.fixture
def log():
    """All that is logged at INFO, as a handler would write it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def named(serve, studies):
    """A server whose images bear patients' names."""
    for number, name in enumerate((PATIENT, SPACED)):
        for folder in ("imagesTr", "labelsTr"):
            path = studies / folder / f"phantom_00{number}.nii.gz"
            path.rename(path.with_name(f"{name}.nii.gz"))
    return serve(studies)


def _audit(server):
    lines = AuditLog(server.app.project.studies.audit_file).lines()
    return [(line["action"], line["image"], line["who"]) for line in lines]


def _submit(server, image_id, folder, only_plane, label_info, **more):
    label = only_plane(server.truth(image_id), Plane(2, 6))
    return server.submit_array(image_id, label, folder, label_info=label_info, **more)


@pytest.mark.slow
def test_a_loop_of_calls_leaves_no_name_in_the_log_and_all_in_the_audit(
    log, named, tmp_path, only_plane, label_info
):
    app = named.app
    keep_ids_out_of_logs()  # what a server does when it starts
    for image_id in (PATIENT, SPACED):
        assert named.next().status_code == 200
        answer = _submit(named, image_id, tmp_path, only_plane, label_info, author="Ana")
        assert answer.status_code == 200
        assert named.infer("propagate", image_id, output="image").status_code == 200
        assert named.http.get("/datastore/image", params={"image": image_id}).status_code == 200
    _submit(named, PATIENT, tmp_path, only_plane, label_info, tag="mine", user="Bo")
    unknown = np.full(named.image(SPACED).shape, 9, np.uint8)
    assert named.submit_array(SPACED, unknown, tmp_path).status_code == 422
    (named.studies / "imagesTr" / "phantom_002.nii.gz").write_bytes(b"broken")
    app.train({"model": "spss", "iterations": 2, "device": "cpu"})
    named.http.delete("/datastore/label", params={"id": PATIENT, "tag": "final"})
    logging.getLogger("any.library").info("reading %s", named.studies / f"{PATIENT}.nii.gz")
    try:
        raise ValueError(f"no voxel in {SPACED}")
    except ValueError:
        logging.getLogger("any.library").exception("failed on %s", PATIENT)
    written = log.getvalue()
    assert "annotated" in written  # the training said something
    for part in (PATIENT, SPACED, "Doe", "Jane", "Jörg", "J%C3%B6rg", "M%C3%BCller"):
        assert part not in written, part
    assert pseudonym(PATIENT) in written
    assert _audit(named) == [
        ("submit", PATIENT, "Ana"),
        ("submit", SPACED, "Ana"),
        ("save_label", PATIENT, "Bo"),
        ("train", "", ""),
        ("publish", "", ""),
        ("remove_label", PATIENT, ""),
    ]
    assert AuditLog(app.project.studies.audit_file).problems() == []


def test_images_and_restores_are_on_record_with_their_hash(
    server, studies, tmp_path, only_plane, label_info
):
    entry = server.app and _submit(server, "phantom_001", tmp_path, only_plane, label_info).json()
    file = studies / "imagesTr" / "phantom_003.nii.gz"
    with file.open("rb") as stream:
        server.http.put(
            "/datastore/image", params={"image": "new"}, files={"file": ("new.nii.gz", stream)}
        )
    server.http.put(
        "/datastore/label/restore",
        params={"image": "phantom_001", "entry": entry["entry"], "author": "Cy"},
    )
    server.http.delete("/datastore", params={"id": "new"})
    server.http.put("/model/spss", files={"file": ("evil.pt", b"x")})
    lines = list(AuditLog(server.app.project.studies.audit_file).lines())
    assert [line["action"] for line in lines] == [
        "submit",
        "add_image",
        "restore",
        "remove_image",
        "model_upload_refused",
    ]
    assert lines[0]["sha256"] == server.ledger.history("phantom_001")[0].label_sha256
    assert len(lines[1]["sha256"]) == 64
    assert lines[2]["who"] == "Cy"


def test_an_audit_log_that_cannot_be_written_costs_no_label(
    server, tmp_path, only_plane, label_info, caplog
):
    server.app.project.studies.audit_file.mkdir(parents=True)
    answer = _submit(server, "phantom_001", tmp_path, only_plane, label_info)
    assert answer.status_code == 200
    assert server.ledger.standing("phantom_001").planes == (Plane(2, 6),)
    assert "audit log could not be written" in caplog.text


def test_the_filter_keeps_records_it_cannot_read():
    hidden = HiddenNames()
    hidden.names = lambda: ["case_0001", "7"]
    record = logging.LogRecord("x", logging.INFO, "", 0, "case_0001 and %d of 7", ("no",), None)
    assert hidden.filter(record)
    assert "case_0001" not in record.getMessage()
    record = logging.LogRecord("x", logging.INFO, "", 0, "7 of xcase_0001 case_0001", (), None)
    hidden.filter(record)
    assert record.getMessage() == f"7 of xcase_0001 {pseudonym('case_0001')}"
    uid = "1.2.840.113619.2.55.3"
    assert uid not in hidden.hidden(f"series {uid} of version 1.2.3")
    assert "version 1.2.3" in hidden.hidden(f"series {uid} of version 1.2.3")


@pytest.fixture
def ada():
    """Somebody who is logged in, as `spss serve` knows her."""
    token = WHO.set("ada")
    yield
    WHO.reset(token)


def test_a_removed_network_is_on_record_with_its_hash(server, ada):
    models = server.app.project.models
    models.training.mkdir(parents=True)
    (models.training / "model.pt").write_bytes(b"weights")
    models.publish(models.keep_version({}))
    assert server.http.delete("/model/spss").status_code == 200
    assert models.published() is None
    assert server.http.delete("/model/spss").status_code == 404  # and nothing to write down
    (line,) = AuditLog(server.app.project.studies.audit_file).lines()
    assert (line["action"], line["who"], line["model"]) == ("remove_model", "ada", "spss")
    assert line["sha256"] == hashlib.sha256(b"weights").hexdigest()


def test_who_is_logged_in_stands_beside_every_deletion(
    server, studies, tmp_path, only_plane, label_info, ada
):
    assert server.http.get("/info/").is_success
    _submit(server, "phantom_001", tmp_path, only_plane, label_info, author="somebody else")
    server.http.delete("/datastore/label", params={"id": "phantom_001", "tag": "final"})
    server.http.delete("/datastore", params={"id": "phantom_002"})
    assert _audit(server) == [
        ("submit", "phantom_001", "ada"),
        ("remove_label", "phantom_001", "ada"),
        ("remove_image", "phantom_002", "ada"),
    ]


def test_who_asked_for_a_training_is_on_record(server, ada, monkeypatch):
    monkeypatch.setattr(
        "monailabel.utils.async_tasks.task.run_background_task", lambda request, method: {"id": "1"}
    )
    answer = server.http.post("/train/spss", json={"iterations": 2})
    assert answer.status_code == 200, answer.text
    assert _audit(server) == [("train_asked", "", "ada")]
