"""Files that are no images: skipped and named, while the others are served."""

import nibabel as nib
import numpy as np


def _write(path, data):
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)


def _break(studies):
    """Adds one image of every kind that cannot be used."""
    folder = studies / "imagesTr"
    good = (folder / "phantom_000.nii.gz").read_bytes()
    (folder / "a_zero.nii.gz").write_bytes(b"")
    (folder / "a_text.nii.gz").write_text("this is no image", encoding="utf-8")
    (folder / "a_torn.nii.gz").write_bytes(good[: len(good) // 2])
    _write(folder / "a_4d.nii.gz", np.ones((4, 5, 6, 7), np.float32))
    _write(folder / "a_nan.nii.gz", np.full((6, 6, 6), np.nan, np.float32))
    return {"a_zero", "a_text", "a_torn", "a_4d", "a_nan"}


def test_broken_images_are_skipped_and_named(serve, refused, studies):
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
        refused(server.infer("spss", image_id), image_id)


def test_a_folder_of_broken_images_has_no_sample(serve, tmp_path):
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "broken.nii.gz").write_bytes(b"x")
    answer = serve(folder, labels="organ").next()
    assert answer.status_code == 200
    assert answer.json() == {}
