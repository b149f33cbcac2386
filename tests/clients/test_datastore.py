from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from fastapi import HTTPException
from monailabel.datastore.dicom import DICOMWebDatastore

from spss.annotation import Ledger, Plane
from spss.errors import InputError
from spss_app.datastore.names import FINAL
from spss_app.dicomweb import datastore as module
from spss_app.dicomweb.datastore import DicomwebDatastore
from spss_app.dicomweb.image_list import search_filters
from spss_app.dicomweb.pacs import SEGMENTABLE, Pacs
from spss_app.dicomweb.segmentation_reader import read_segmentation
from spss_app.dicomweb.segmentation_writer import write_segmentation
from spss_app.dicomweb.series import Series, stack
from spss_app.drafts import Drafts
from spss_app.served import Served
from spss_app.submit.submitter import Submitter
from spss_app.task_classes import TaskClasses
from spss_app.volume_cache import VolumeCache
from spss_apps.clients.cohort import Cohort
from spss_apps.clients.desk import NAMES, drawing, send_images
from spss_apps.clients.dicom_series import make_series
from spss_apps.clients.orthanc import Orthanc


class Server:
    """The parts of our server that deal with labels, on a DICOMweb address."""

    def __init__(self, url: str, folder: Path) -> None:
        pacs = Pacs(url, search_seconds=2, transfer_seconds=5)
        self.store = DicomwebDatastore(pacs, folder)
        self.ledger = Ledger(folder / "ledger")
        self.submitter = Submitter(
            store=self.store,
            ledger=self.ledger,
            classes=TaskClasses(NAMES[1:], folder / "none.json", folder / "classes.json"),
            drafts=Drafts(folder / "drafts"),
            served=Served(folder / "served", 30),
            volumes=VolumeCache(),
            rejected=folder / "rejected",
        )
        self.store.on_submit = self.submit
        self.folder = folder

    def submit(self, image_id: str, file: Path, params: dict[str, Any]) -> None:
        self.submitter.submit(image_id, file, params)

    def planes(self, image_id: str) -> tuple[Plane, ...]:
        self.store.list_images()
        return self.ledger.standing(image_id).planes

    def annotate(self, image_id: str, classes: np.ndarray) -> None:
        affine = nibabel.load(self.store.get_image_uri(image_id)).affine
        file = self.folder / "drawn.nii.gz"
        nibabel.save(nibabel.Nifti1Image(classes, affine), file)
        info = {"label_info": [{"name": n, "idx": i} for i, n in enumerate(NAMES) if i]}
        self.store.save_label(image_id, str(file), FINAL, info)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request looks at the PACS anew, as a patient annotator's would."""
    monkeypatch.setattr(module, "SYNCHRONISE_SECONDS", 0.0)
    monkeypatch.setattr("spss_app.dicomweb.image_list.LIST_SECONDS", 0.0)
    monkeypatch.setattr("spss_app.dicomweb.pacs.AWAY_SECONDS", 0.0)


@pytest.fixture
def server(orthanc: Orthanc, tmp_path: Path) -> Server:
    return Server(orthanc.dicomweb, tmp_path / "server")


def test_mr_ct_and_pet_are_found_without_a_search_filter(orthanc: Orthanc, server: Server) -> None:
    uids = [send_images(orthanc, modality=modality).uid for modality in ("MR", "CT", "PT")]
    send_images(orthanc, modality="SR")
    assert server.store.list_images() == sorted(uids)


@pytest.mark.parametrize(
    ("setting", "filters"),
    [
        ({"Modality": "MR"}, [{"Modality": "MR"}]),
        ({"00080060": "CT"}, [{"00080060": "CT"}]),
        ({"PatientID": "P7"}, [{"PatientID": "P7", "Modality": m} for m in SEGMENTABLE]),
        ({"Modality": "CT"}, [{"Modality": m} for m in SEGMENTABLE]),  # MONAI Label's default
    ],
)
def test_a_filter_that_the_user_set_is_kept(
    monkeypatch: pytest.MonkeyPatch, setting: dict[str, str], filters: list[dict[str, str]]
) -> None:
    name = "spss_app.dicomweb.image_list.settings.MONAI_LABEL_DICOMWEB_SEARCH_FILTER"
    monkeypatch.setattr(name, setting)
    assert search_filters() == filters


def test_a_series_is_fetched_when_it_is_asked_for_and_on_its_own_grid(
    server: Server, image: Series
) -> None:
    assert server.store.list_images() == [image.uid]
    assert not list(server.store.images.root.glob("*.nii.gz"))
    info = server.store.get_image_info(image.uid)
    assert (info["PatientID"], info["Modality"]) == ("P7", "MR")
    uri = server.store.get_image_uri(image.uid)
    assert np.allclose(nibabel.load(uri).affine, image.affine, atol=1e-4)
    assert server.store.get_image_info(image.uid)["name"] == f"{image.uid}.nii.gz"
    assert server.store.get_image_info(image.uid)["StudyInstanceUID"] == info["StudyInstanceUID"]


def test_a_submit_is_in_the_ledger_and_in_the_pacs(
    orthanc: Orthanc, server: Server, image: Series
) -> None:
    server.annotate(image.uid, drawing(image))
    server.annotate(image.uid, drawing(image, index=5, value=2))
    assert server.planes(image.uid) == (Plane(2, 3), Plane(2, 5))
    assert server.store.get_labeled_images() == [image.uid]
    found = orthanc.series("SEG")
    assert len(found) == 2
    labels = [
        read_segmentation(
            server.store.pacs.fetch(f.StudyInstanceUID, f.SeriesInstanceUID)[0], image
        )
        for f in found
    ]
    newest = max(labels, key=lambda label: len(label.planes or ()))
    assert newest.names == ("anterior", "posterior")
    expected = drawing(image) + drawing(image, index=5, value=2)
    assert np.array_equal(newest.classes, expected)


def test_the_same_label_twice_is_one_segmentation(
    orthanc: Orthanc, server: Server, image: Series
) -> None:
    server.annotate(image.uid, drawing(image))
    server.annotate(image.uid, drawing(image))
    assert len(orthanc.series("SEG")) == 1


def test_one_plane_stored_by_a_viewer_is_one_plane_in_the_ledger(
    orthanc: Orthanc, server: Server, image: Series
) -> None:
    server.store.list_images()
    orthanc.store_datasets([write_segmentation(drawing(image, value=2), NAMES, image)])
    assert server.planes(image.uid) == (Plane(2, 3),)
    label = server.ledger.sparse_label(image.uid, NAMES)
    assert np.array_equal(label.classes, drawing(image, value=2))
    server.store.list_images()
    assert len(server.ledger.history(image.uid)) == 1
    assert len(orthanc.series("SEG")) == 1  # not answered with a copy of our own


def test_two_servers_on_one_pacs_do_not_answer_each_other(
    orthanc: Orthanc, server: Server, image: Series, tmp_path: Path
) -> None:
    other = Server(orthanc.dicomweb, tmp_path / "other")
    server.annotate(image.uid, drawing(image))
    for _ in range(3):
        assert other.planes(image.uid) == server.planes(image.uid) == (Plane(2, 3),)
    assert len(orthanc.series("SEG")) == 1


def test_a_pacs_away_in_mid_annotation_loses_nothing(
    orthanc: Orthanc, server: Server, image: Series
) -> None:
    second = send_images(orthanc)
    server.store.get_image_uri(image.uid)
    orthanc.stop()
    assert server.store.list_images() == [image.uid]  # what was fetched can be annotated
    server.annotate(image.uid, drawing(image))
    assert server.planes(image.uid) == (Plane(2, 3),)
    status = server.store.status()["dicomweb"]
    assert status["unsent"] == 1
    assert "does not answer" in status["away"]
    orthanc.start()
    assert server.store.list_images() == sorted([image.uid, second.uid])
    assert len(orthanc.series("SEG")) == 1
    assert server.store.status()["dicomweb"] == {
        "away": "",
        "unsent": 0,
        "imported_segmentations": [],
        "refused_segmentations": [],
        "waiting_segmentations": [],
        "refused_series": {},
    }


def test_a_submit_whose_headers_are_gone_waits_for_the_pacs(
    orthanc: Orthanc, server: Server, image: Series
) -> None:
    server.store.get_image_uri(image.uid)
    for file in (server.store.images.root / image.uid).iterdir():
        file.unlink()
    (server.store.images.root / image.uid).rmdir()
    orthanc.stop()
    server.annotate(image.uid, drawing(image))
    assert server.planes(image.uid) == (Plane(2, 3),)
    orthanc.start()
    server.store.list_images()
    assert len(orthanc.series("SEG")) == 1


def test_a_broken_series_is_named_and_left_out(orthanc: Orthanc, server: Server) -> None:
    good = send_images(orthanc)
    datasets = make_series(np.zeros((10, 8, 6), np.int16))
    orthanc.store_datasets([*datasets[:2], *datasets[3:]])
    broken = str(datasets[0].SeriesInstanceUID)
    assert server.store.list_images() == sorted([good.uid, broken])
    with pytest.raises(InputError, match="misses a slice"):
        server.store.get_image_uri(broken)
    assert server.store.list_images() == [good.uid]
    assert "misses a slice" in server.store.status()["dicomweb"]["refused_series"][broken]
    orthanc.store_datasets([datasets[2]])
    server.store.list_images()
    assert server.store.list_images() == sorted([good.uid, broken])
    assert nibabel.load(server.store.get_image_uri(broken)).shape == (10, 8, 6)


def test_a_segmentation_with_an_unknown_name_is_kept_and_said(
    orthanc: Orthanc, server: Server, image: Series
) -> None:
    names = ("background", "liver", "spleen")
    orthanc.store_datasets([write_segmentation(drawing(image), names, image)])
    assert server.planes(image.uid) == ()
    (reason,) = server.store.status()["dicomweb"]["refused_segmentations"]
    assert "liver" in reason
    assert list((server.folder / "rejected").glob("*.nii.gz"))
    assert len(orthanc.series("SEG")) == 1


def test_a_segmentation_of_an_unknown_series_is_kept_waiting_and_said(
    orthanc: Orthanc, server: Server, image: Series
) -> None:
    datasets = make_series(np.zeros((10, 8, 6), np.int16))
    unknown = stack(datasets, [Path(str(index)) for index in range(len(datasets))])
    orthanc.store_datasets([write_segmentation(drawing(unknown), NAMES, unknown)])
    assert server.planes(image.uid) == ()
    (reason,) = server.store.status()["dicomweb"]["waiting_segmentations"]
    assert f"refers to series {unknown.uid}, which is not among our images" in reason
    orthanc.store_datasets(datasets)
    assert server.planes(unknown.uid) == (Plane(2, 3),)
    assert server.store.status()["dicomweb"]["waiting_segmentations"] == []


def test_of_two_segmentations_that_overlap_the_later_counts_and_both_are_kept(
    orthanc: Orthanc, server: Server, image: Series
) -> None:
    first, second = drawing(image), np.roll(drawing(image, value=2), 1, axis=0)
    assert (first.astype(bool) & second.astype(bool)).any()
    for minute, classes in ((20, second), (10, first)):  # stored in the wrong order
        segmentation = write_segmentation(classes, NAMES, image)
        segmentation.ContentDate, segmentation.ContentTime = "20260102", f"12{minute}00"
        orthanc.store_datasets([segmentation])
    assert server.planes(image.uid) == (Plane(2, 3),)
    assert np.array_equal(server.ledger.sparse_label(image.uid, NAMES).classes, second)
    older, _ = server.ledger.history(image.uid)
    server.ledger.restore(image.uid, older.id)
    assert np.array_equal(server.ledger.sparse_label(image.uid, NAMES).classes, first)
    said = server.store.status()["dicomweb"]["imported_segmentations"]
    assert "overlaps" not in said[0]
    assert "overlaps what was drawn before on axial 3: the new one counts" in said[1]


def test_uploads_are_sent_to_the_pacs_instead(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "image.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 3, 3), np.uint8), np.eye(4)), file)
    with pytest.raises(HTTPException, match="send it to the DICOM server"):
        server.store.add_image("image", str(file), {})


def test_monai_label_offers_results_as_dicom_seg_here(server: Server) -> None:
    assert isinstance(server.store, DICOMWebDatastore)


@pytest.mark.parametrize("role", ["first", "oblique", "third"])
def test_real_series_are_on_the_grid_that_their_headers_state(
    orthanc: Orthanc, server: Server, cohort: Cohort, role: str
) -> None:
    orthanc.store(sorted(cohort.folders[role].iterdir()))
    (uid,) = server.store.list_images()
    series = server.store.images.series(uid)
    image = nibabel.load(server.store.get_image_uri(uid))
    assert image.shape == series.shape
    for header, k in ((series.headers[0], 0), (series.headers[-1], len(series.headers) - 1)):
        x, y, z = (float(value) for value in header.ImagePositionPatient)
        assert np.allclose((image.affine @ [0, 0, k, 1])[:3], [-x, -y, z], atol=1e-2)
