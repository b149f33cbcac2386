"""A volume as a classic DICOM series, for a PACS that has no patient in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

AXIAL: tuple[float, ...] = (1, 0, 0, 0, 1, 0)
SAGITTAL: tuple[float, ...] = (0, 1, 0, 0, 0, -1)
CORONAL: tuple[float, ...] = (1, 0, 0, 0, 0, -1)


def make_series(
    volume: NDArray[np.int16],
    *,
    orientation: Sequence[float] = AXIAL,
    spacing_mm: Sequence[float] = (1.0, 1.0, 2.0),
    origin_lps_mm: Sequence[float] = (-20.0, -30.0, 40.0),
    patient_id: str = "phantom",
    modality: str = "MR",
    study_uid: str | None = None,
) -> list[Dataset]:
    """One dataset per slice of a ``(columns, rows, slices)`` volume.

    Args:
        volume: int16 intensities; slice k lies k times ``spacing_mm[2]`` along the normal.
        orientation: ImageOrientationPatient: direction of a row, then of a column, in LPS.
        spacing_mm: between columns, between rows, between slices.
        origin_lps_mm: centre of voxel (0, 0, 0).
        patient_id: PatientID and PatientName.
        modality: Modality; the SOP class stays MR, which grey stacks may always use here.
        study_uid: StudyInstanceUID; a new one if None.
    """
    cosines = np.asarray(orientation, np.float64)
    normal = np.cross(cosines[:3], cosines[3:])
    study, series, frame = study_uid or generate_uid(), generate_uid(), generate_uid()
    datasets = []
    for index in range(volume.shape[2]):
        dataset = _image(np.ascontiguousarray(volume[:, :, index].T))
        dataset.PatientID = dataset.PatientName = patient_id
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.FrameOfReferenceUID = frame
        dataset.Modality = modality
        dataset.SeriesDescription = f"{patient_id} {modality}"
        dataset.InstanceNumber = index + 1
        dataset.ImageOrientationPatient = [float(value) for value in orientation]
        position = np.asarray(origin_lps_mm) + index * spacing_mm[2] * normal
        dataset.ImagePositionPatient = [round(float(value), 6) for value in position]
        dataset.PixelSpacing = [float(spacing_mm[1]), float(spacing_mm[0])]
        dataset.SliceThickness = float(spacing_mm[2])
        datasets.append(dataset)
    return datasets


def renew(
    datasets: Sequence[Dataset], accept: Callable[[str], bool] = lambda uid: True
) -> list[Dataset]:
    """The same images as a study of their own, in which nobody has drawn yet.

    Args:
        datasets: one per slice.
        accept: says whether a SeriesInstanceUID will do; another one is made until it does.
    """
    study, series = generate_uid(), generate_uid()
    while not accept(series):
        series = generate_uid()
    copies = []
    for dataset in datasets:
        copied = deepcopy(dataset)
        copied.StudyInstanceUID, copied.SeriesInstanceUID = study, series
        copied.SOPInstanceUID = generate_uid()
        copied.file_meta.MediaStorageSOPInstanceUID = copied.SOPInstanceUID
        copies.append(copied)
    return copies


def save(datasets: Sequence[Dataset], folder: Path) -> Path:
    """Writes one file per dataset; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, dataset in enumerate(datasets):
        dataset.save_as(folder / f"{number:03d}.dcm", write_like_original=False)
    return folder


def _image(pixels: NDArray[np.int16]) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.preamble = bytes(128)
    dataset.is_little_endian, dataset.is_implicit_VR = True, False
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyDate, dataset.StudyTime = "20260101", "120000"
    dataset.StudyID, dataset.SeriesNumber, dataset.AccessionNumber = "1", 1, ""
    dataset.PatientBirthDate, dataset.PatientSex = "", "O"
    dataset.ReferringPhysicianName = ""
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.PixelData = pixels.astype("<i2").tobytes()
    return dataset
