"""A disk that fills up while a label is written: all of it is there, or nothing of it."""

import resource
from contextlib import contextmanager

import pytest

from spss.annotation import Ledger, Plane
from spss.studies import AuditLog
from spss.volumes import read_label, write_label
from spss_app.datastore.local import LocalFolder

IMAGE = "phantom_001"


@contextmanager
def largest_file(size_bytes):
    """Every write beyond that size of a file fails, as it does on a full disk (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _submit(server, file, index):
    info = {"annotated_planes": [{"axis": 2, "index": index}]}
    server.app.datastore().save_label(IMAGE, str(file), "final", info)


@pytest.mark.parametrize("size_bytes", [0, 100, 400, 600, 750, 3000])
def test_whatever_fails_the_folder_opens_and_holds_what_was_acknowledged(
    server, tmp_path, only_plane, size_bytes
):
    file = tmp_path / "label.nii.gz"
    write_label(file, only_plane(server.truth(IMAGE), Plane(2, 6)), like=server.image(IMAGE))
    _submit(server, file, 6)
    failed = False
    with largest_file(size_bytes):
        try:
            _submit(server, file, 7)
        except OSError:
            failed = True
    assert failed == (size_bytes < 1000)  # label, entry and index are smaller than that
    ledger = Ledger(server.ledger.root)
    assert ledger.problems() == ()
    planes = {plane.index for plane in ledger.standing(IMAGE).planes}
    assert planes == {6, 7} if not failed else planes >= {6}
    studies = server.app.project.studies
    again = LocalFolder(studies.images, studies.workspace)
    assert len(again.list_images()) == 4
    assert list(studies.workspace.glob("*.broken-*")) == []
    assert list(studies.workspace.rglob("*.tmp")) == []
    server.app.submitter.republish_stale()
    _submit(server, file, 9)  # there is room again
    final = read_label(server.app.datastore().get_label_uri(IMAGE, "final"))
    wanted = server.ledger.sparse_label(IMAGE, server.app.project.classes.names)
    assert (final == wanted.classes).all()
    assert Plane(2, 9) in wanted.planes
    assert all("torn" in problem.reason for problem in AuditLog(studies.audit_file).problems())
