"""One drawn plane at every stop: Slicer, ledger, propagation, SEG in the PACS, OHIF, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
import pytest
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset

from spss.annotation import Plane
from spss.types import ClassMap
from spss_app.dicomweb.pacs import Pacs
from spss_app.dicomweb.segmentation_reader import referenced_series
from spss_app.dicomweb.series import Series, read_series
from spss_app.dicomweb.volume_file import write_volume
from spss_apps.clients.cohort import Cohort
from spss_apps.clients.dicom_series import SAGITTAL, make_series
from spss_apps.clients.ohif import Ohif
from spss_apps.clients.ohif_drawing import download, open_to_draw, upload
from spss_apps.clients.ohif_segmentation import jump_to_label, open_segmentation, shown_classes
from spss_apps.clients.pacs_server import PacsServer
from spss_apps.clients.slicer_client import Loaded, SlicerClient

NAMES = ("background", "anterior", "posterior")
CASES = {
    "axial plane": ("second", 2, False),
    "sagittal plane across axial slices": ("second", 0, False),
    "plane of a sagittal acquisition": ("second", 2, True),
    "plane of an oblique acquisition": ("oblique", 2, False),
}

pytestmark = [
    pytest.mark.parametrize("pacs_server", [True], indirect=True, ids=["serve"]),
    # MONAI Label's own client leaves its sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:'cgi' is deprecated:DeprecationWarning"),
]


@pytest.mark.parametrize("case", CASES)
def test_the_voxels_are_the_same_at_every_stop_and_back(
    case: str,
    pacs_server: PacsServer,
    slicer: SlicerClient,
    viewer: Ohif,
    cohort: Cohort,
    new_series: Callable[..., Series],
    tmp_path: Path,
    pictures: Path,
) -> None:
    role, axis, turned = CASES[case]
    series = new_series(role, turn(cohort, tmp_path) if turned else None)
    plane = Plane(axis, series.shape[axis] // 3)
    drawn = outline(series, plane)

    submit(pacs_server, slicer, series, drawn, plane)
    assert_in_ledger(pacs_server, series, drawn, plane)
    assert np.array_equal(propagated(slicer, series, tmp_path)[plane.slices], drawn[plane.slices])
    assert np.array_equal(in_pacs(pacs_server, series), drawn)

    open_to_draw(
        viewer, f"{study_of(series)}&SeriesInstanceUIDs={series.uid},{seg_of(pacs_server, series)}"
    )
    open_segmentation(viewer, "SPSS labels, 1 plane")
    assert np.array_equal(shown_classes(viewer, series, NAMES), drawn)
    jump_to_label(viewer, series, plane.index if axis == 2 else series.shape[2] // 3, least=20)
    if case == "axial plane":
        viewer.screenshot(pictures / "ohif-8-loaded.png")

    file = download(viewer, tmp_path, "SPSS labels")
    with pacs_server.session() as session:
        asked = {"id": series.uid, "tag": "final"}
        gone = session.delete(f"{slicer.url}/datastore/label", params=asked, timeout=60)
    gone.raise_for_status()
    assert pacs_server.ledger.standing(series.uid).is_empty
    upload(viewer, file)
    slicer.client.info()
    slicer.client.datastore()  # the next request imports
    assert_in_ledger(pacs_server, series, drawn, plane)


def turn(cohort: Cohort, folder: Path) -> list[Dataset]:
    """Real voxels as if the scanner had taken them in sagittal slices."""
    write_volume(read_series(cohort.folders["second"]), folder / "source.nii.gz")
    image = nibabel.load(folder / "source.nii.gz")
    # (left, posterior, superior) to (posterior, inferior, left): rows, columns, slices
    voxels = np.asarray(image.dataobj).astype(np.int16).transpose(1, 2, 0)[:, ::-1]
    return make_series(
        np.ascontiguousarray(voxels),
        orientation=SAGITTAL,
        spacing_mm=(1, 1, 1),
        patient_id="turned",
    )


def outline(series: Series, plane: Plane) -> ClassMap:
    """Two structures without any symmetry, on one plane."""
    classes = np.zeros(series.shape, np.uint8)
    view = classes[plane.slices]
    rows, columns = view.shape
    view[rows // 4 : rows // 2, columns // 4 : columns // 2] = 1
    view[rows // 4 : rows // 3, columns // 2 : columns // 2 + 3] = 1
    view[rows // 2 : rows // 2 + rows // 6, columns // 3 : columns // 2] = 2
    return classes


def submit(
    pacs_server: PacsServer, slicer: SlicerClient, series: Series, drawn: ClassMap, plane: Plane
) -> None:
    """As Slicer does, with its own export."""
    with pacs_server.session() as session:
        asked = {"image": series.uid}
        info = session.get(f"{slicer.url}/datastore/image/info", params=asked, timeout=60).json()
    segments = {name: drawn == value for value, name in enumerate(NAMES) if value}
    said = slicer.submit(Loaded({"id": series.uid}, Path(info["path"]), "", segments))
    assert said["annotated_planes"] == [{"axis": plane.axis, "index": plane.index}]


def assert_in_ledger(
    pacs_server: PacsServer, series: Series, drawn: ClassMap, plane: Plane
) -> None:
    assert pacs_server.ledger.standing(series.uid).planes == (plane,)
    label = pacs_server.ledger.sparse_label(series.uid, NAMES)
    assert np.array_equal(label.classes, drawn)
    annotated = np.zeros(series.shape, bool)
    annotated[plane.slices] = True
    assert np.array_equal(label.annotated, annotated)


def propagated(slicer: SlicerClient, series: Series, folder: Path) -> ClassMap:
    params: dict[str, Any] = {"result_extension": ".nii.gz", "result_dtype": "uint8"}
    file, _ = slicer.client.infer("propagate", series.uid, params)
    return np.asarray(nibabel.load(file).dataobj).astype(np.uint8)


def in_pacs(pacs_server: PacsServer, series: Series) -> ClassMap:
    """The one SEG of this series as highdicom reads it, each frame where its image is."""
    client = DICOMwebClient(pacs_server.orthanc.dicomweb)
    (dataset,) = client.retrieve_series(study_of(series), seg_of(pacs_server, series))
    seg = highdicom.seg.Segmentation.from_dataset(dataset, copy=False)
    images = {str(header.SOPInstanceUID): header for header in series.headers}
    assert seg.FrameOfReferenceUID == series.headers[0].FrameOfReferenceUID
    assert seg.PatientID == series.headers[0].PatientID
    for group in seg.PerFrameFunctionalGroupsSequence:
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        place = group.PlanePositionSequence[0].ImagePositionPatient
        assert list(place) == list(images[source.ReferencedSOPInstanceUID].ImagePositionPatient)
    frames = seg.get_pixels_by_source_instance(
        list(images),
        combine_segments=True,
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
    )
    classes = np.zeros(series.shape, np.uint8)
    for number in seg.segment_numbers:
        name = seg.get_segment_description(number).segment_label
        classes[frames.transpose(2, 1, 0) == number] = NAMES.index(name)
    return classes


def seg_of(pacs_server: PacsServer, series: Series) -> str:
    """UID of the SEG series that refers to this series."""
    pacs = Pacs(pacs_server.orthanc.dicomweb)
    found = [
        str(item.SeriesInstanceUID)
        for item in pacs_server.orthanc.series("SEG")
        for header in pacs.headers(str(item.StudyInstanceUID), str(item.SeriesInstanceUID))
        if referenced_series(header) == series.uid
    ]
    assert len(found) == 1
    return found[0]


def study_of(series: Series) -> str:
    return str(series.headers[0].StudyInstanceUID)
