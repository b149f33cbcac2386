"""What makes a series of images no volume, and the words that its refusal must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydicom.dataset import Dataset

Spoil = Callable[[list[Dataset]], None]


def colour(datasets: list[Dataset]) -> None:
    """Makes RGB images of them."""
    for dataset in datasets:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
        dataset.PlanarConfiguration = 0
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit, dataset.PixelRepresentation = 7, 0
        dataset.PixelData = bytes(dataset.Rows * dataset.Columns * 3)


def multi_frame(datasets: list[Dataset]) -> None:
    """Leaves one image of four frames."""
    del datasets[1:]
    datasets[0].NumberOfFrames = 4
    datasets[0].PixelData = datasets[0].PixelData * 4


def missing_slice(datasets: list[Dataset]) -> None:
    """Loses the third slice."""
    del datasets[2]


UNUSABLE: Mapping[str, Spoil] = {
    "colour image": colour,
    "multi-frame image": multi_frame,
    "misses a slice": missing_slice,
}
"""Words → what spoils a series so that it is refused with them."""
