"""Which draft a viewer is offered, and what becomes of a label that was there."""

import numpy as np

from spss.annotation import Plane
from spss.types import UNDECIDED
from spss.volumes import read_label


def test_another_tools_label_is_the_draft_and_is_never_lost(
    server, tmp_path, only_plane, label_info
):
    foreign = server.truth("phantom_000")
    foreign[7:9, 7:9] = 0
    server.submit_array("phantom_000", foreign, tmp_path, tag="original")
    for client in range(4):
        answer = server.next(client_id=f"client {client}").json()
        if answer["id"] == "phantom_000":
            assert answer["draft"] == "the label that was there"
    corrected = foreign.copy()
    corrected[..., 7] = server.truth("phantom_000")[..., 7]
    said = server.submit_array("phantom_000", corrected, tmp_path, label_info=label_info).json()
    assert said["annotated_planes"] == [{"axis": 2, "index": 7}]
    server.app.project.offer_draft("phantom_000")
    kept = read_label(server.app.datastore().get_label_uri("phantom_000", "imported"))
    assert (kept == foreign).all()


def _tear_index(folder, store):
    (folder / "datastore_v2.json.backup").unlink(missing_ok=True)
    (folder / "datastore_v2.json").write_bytes(b"")
    store.list_images()  # notices it and rebuilds
    assert list(folder.glob("datastore_v2.json.broken-*"))


def test_an_own_draft_is_known_as_such_after_the_index_was_torn(
    server, studies, tmp_path, only_plane, label_info
):
    project = server.app.project
    label = only_plane(server.truth("phantom_000"), Plane(2, 7))
    server.submit_array("phantom_000", label, tmp_path, label_info=label_info)
    assert "propagated" in project.offer_draft("phantom_000")
    server.app.datastore().remove_label("phantom_000", "final")
    _tear_index(studies, server.app.datastore())
    assert project.offer_draft("phantom_000") == ""
    assert not server.app.datastore().get_label_uri("phantom_000", "imported")


def test_another_tools_label_is_kept_after_it_was_offered_and_the_index_torn(
    server, studies, tmp_path, only_plane, label_info
):
    foreign = server.truth("phantom_000")
    foreign[7:9, 7:9] = 0
    server.submit_array("phantom_000", foreign, tmp_path, tag="original")
    assert server.app.project.offer_draft("phantom_000") == "the label that was there"
    _tear_index(studies, server.app.datastore())
    label = only_plane(server.truth("phantom_000"), Plane(2, 7))
    server.submit_array("phantom_000", label, tmp_path, label_info=label_info)
    assert "propagated" in server.app.project.offer_draft("phantom_000")
    kept = read_label(server.app.datastore().get_label_uri("phantom_000", "imported"))
    assert (kept == foreign).all()


def test_single_voxels_are_in_the_draft_although_nothing_can_be_propagated(server, tmp_path):
    drawn = np.full(server.image("phantom_000").shape, UNDECIDED, np.uint8)
    drawn[4, 5, 6:9] = 1
    server.submit_array("phantom_000", drawn, tmp_path, annotated_planes="voxels")
    assert server.app.project.offer_draft("phantom_000") == "as drawn"
    draft = read_label(server.app.datastore().get_label_uri("phantom_000", "original"))
    assert (draft == np.where(drawn == UNDECIDED, 0, drawn)).all()
