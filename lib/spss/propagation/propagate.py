"""One drawn plane, or several, become a soft label of the whole volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spss.annotation import Plane, SparseLabel
from spss.errors import InputError, NotReadyError
from spss.propagation.extent import SimpleEnd, fade_foreground
from spss.propagation.fusion import Fusion
from spss.propagation.pseudo_label import PseudoLabel
from spss.propagation.region import region_of
from spss.propagation.registry import Propagator, make_propagator
from spss.propagation.stack import Carried, DrawnSlice, Stack, make_stack
from spss.propagation.threads import thread_count
from spss.types import MAX_CLASSES, ImageArray, SpacingMm


def propagate(
    image: ImageArray,
    sparse_label: SparseLabel,
    *,
    spacing_mm: SpacingMm,
    class_count: int,
    propagator: str = "auto",
    end_rule: str = "simple",
    range_slices: int | None = None,
    threads: int | None = None,
) -> PseudoLabel:
    """Carries annotated planes through a volume.

    Args:
        image: ``(I, J, K)`` float32, any intensities.
        sparse_label: annotated planes of any axis; a plane with nothing on it says that the
            structures do not reach there.
        spacing_mm: voxel size along each axis.
        class_count: classes including background.
        propagator: a name of ``list_propagators()``.
        end_rule: ``simple`` or ``none``.
        range_slices: only so many slices to each side of an annotated plane; None = all.
        threads: cores to use; None asks ``OMP_NUM_THREADS``, then takes all.

    Returns:
        Soft classes and a reliability per voxel; annotated voxels are exactly as drawn.

    Raises:
        InputError: label on another grid, class out of range, unknown name, only empty planes.
        NotReadyError: no plane has been annotated yet.
    """
    _check(image, sparse_label, spacing_mm, class_count)
    if sparse_label.is_dense:
        return _with_annotation(_silent(image.shape, class_count), sparse_label)
    workers = make_propagator(propagator, thread_count(threads))
    fusion = Fusion(class_count, image.shape)  # type: ignore[arg-type]
    for axis in sorted({plane.axis for plane in sparse_label.planes}):
        stack = make_stack(image, axis, spacing_mm)
        drawn = drawn_slices(sparse_label, axis, class_count, range_slices)
        _add_axis(fusion, stack, axis, drawn, workers, end_rule)
    return _with_annotation(fusion.result(), sparse_label)


def drawn_slices(
    label: SparseLabel, axis: int, class_count: int, range_slices: int | None = None
) -> tuple[DrawnSlice, ...]:
    """The annotated slices along ``axis``, each bounded by its annotated neighbours."""
    indices = [plane.index for plane in label.planes if plane.axis == axis]
    bounds = [0, *indices, label.shape[axis] - 1]
    reach = label.shape[axis] if range_slices is None else max(0, range_slices)
    drawn = []
    for place, index in enumerate(indices, start=1):
        classes = label.classes[Plane(axis, index).slices]
        one_hot = (classes == np.arange(class_count)[:, None, None]).astype(np.float32)
        first = max(index - reach, bounds[place - 1] + (place > 1))
        last = min(index + reach, bounds[place + 1] - (place < len(indices)))
        drawn.append(DrawnSlice(index, one_hot, first, last))
    return tuple(drawn)


def _add_axis(
    fusion: Fusion,
    stack: Stack,
    axis: int,
    drawn: tuple[DrawnSlice, ...],
    propagator: Propagator,
    end_rule: str,
) -> None:
    rows, columns = region_of(drawn)
    part = Stack(
        np.ascontiguousarray(stack.slices[:, rows, columns]), stack.thickness_mm, stack.pixel_mm
    )
    cropped = tuple(
        DrawnSlice(each.index, each.one_hot[:, rows, columns], each.first, each.last)
        for each in drawn
    )
    for each, carried in zip(cropped, propagator.carry(part, cropped), strict=True):
        probabilities, reliability = _judge(part, each, carried, end_rule)
        span = slice(each.first, each.last + 1)
        where = _where(axis, span, rows, columns)
        steps = np.abs(np.arange(each.first, each.last + 1) - each.index).astype(np.float32)
        distance_mm = np.maximum(steps, 0.01) * np.float32(stack.thickness_mm)
        fusion.add(
            where,
            np.moveaxis(probabilities[:, span], 1, axis + 1),
            np.moveaxis(reliability[span], 0, axis),
            np.moveaxis(distance_mm[:, None, None], 0, axis),
        )


def _judge(
    stack: Stack, drawn: DrawnSlice, carried: Carried, end_rule: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if end_rule == "none":
        return carried.probabilities, carried.probabilities.max(axis=0)
    if end_rule != "simple":
        msg = f"There is no end rule {end_rule!r}: use simple or none."
        raise InputError(msg)
    keep = SimpleEnd().keep(stack, drawn, carried)
    probabilities = fade_foreground(carried.probabilities, keep)
    return probabilities, probabilities.max(axis=0)


def _where(axis: int, span: slice, rows: slice, columns: slice) -> tuple[slice, slice, slice]:
    box = [rows, columns]
    box.insert(axis, span)
    return (box[0], box[1], box[2])


def _silent(shape: tuple[int, ...], class_count: int) -> PseudoLabel:
    return Fusion(class_count, shape).result()  # type: ignore[arg-type]


def _with_annotation(result: PseudoLabel, label: SparseLabel) -> PseudoLabel:
    """Annotated voxels are exactly as drawn, with reliability 1."""
    decided = label.annotated
    result.probabilities[:, decided] = 0.0
    for index in range(result.probabilities.shape[0]):
        result.probabilities[index][decided & (label.classes == index)] = 1.0
    result.reliability[decided] = 1.0
    return result


def _check(image: ImageArray, label: SparseLabel, spacing_mm: SpacingMm, class_count: int) -> None:
    if image.ndim != 3:
        msg = f"Propagation needs a 3-D image, got shape {image.shape}."
        raise InputError(msg)
    if image.shape != label.shape:
        msg = (
            f"The label is on another grid than the image: label {label.shape}, image "
            f"{image.shape}. Resample the label to the image first."
        )
        raise InputError(msg)
    if not 2 <= class_count <= MAX_CLASSES:
        msg = f"class_count counts background too: it must be 2…{MAX_CLASSES}, got {class_count}."
        raise InputError(msg)
    if len(spacing_mm) != 3 or not all(np.isfinite(each) and each > 0 for each in spacing_mm):
        msg = f"Voxel spacing must be three positive millimetre values, got {spacing_mm}."
        raise InputError(msg)
    largest = int(label.classes[label.annotated].max(initial=0))
    if largest >= class_count:
        msg = (
            f"The label holds class {largest}, but class_count is {class_count}: classes go "
            f"from 0 to {class_count - 1}."
        )
        raise InputError(msg)
    if label.is_dense:
        return
    if not label.planes:
        msg = "No plane of this volume has been annotated yet: draw one plane, then propagate it."
        raise NotReadyError(msg)
    if largest == 0:
        names = ", ".join(f"axis {plane.axis} index {plane.index}" for plane in label.planes)
        msg = (
            f"Every annotated plane is empty ({names}): there is nothing to propagate. Draw at "
            "least one structure on one plane."
        )
        raise InputError(msg)
