"""One drawn plane, or several, become a soft label of the whole volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spss.annotation import SparseLabel
from spss.propagation.calibration import calibrate
from spss.propagation.checks import check_input, check_network
from spss.propagation.fusion import Fusion
from spss.propagation.joining import join
from spss.propagation.opinion import Judge, drawn_slices
from spss.propagation.pseudo_label import PseudoLabel
from spss.propagation.registry import Propagator, Resources, make_propagator
from spss.propagation.stack import make_stack
from spss.propagation.threads import thread_count
from spss.types import ImageArray, Probabilities, SpacingMm


def propagate(
    image: ImageArray,
    sparse_label: SparseLabel,
    *,
    spacing_mm: SpacingMm,
    class_count: int,
    propagator: str | Propagator = "auto",
    end_rule: str = "learned",
    range_slices: int | None = None,
    network_probabilities: Probabilities | None = None,
    weights: Path | None = None,
    threads: int | None = None,
) -> PseudoLabel:
    """Carries annotated planes through a volume.

    Args:
        image: ``(I, J, K)`` float32, any intensities.
        sparse_label: annotated planes of any axis; a plane with nothing on it says that the
            structures do not reach there.
        spacing_mm: voxel size along each axis.
        class_count: classes including background.
        propagator: a name of ``list_propagators()``, or one that was made.
        end_rule: ``learned``, ``simple`` or ``none``, see ``END_RULES``.
        range_slices: only so many slices to each side of an annotated plane; None = all.
        network_probabilities: ``(C, I, J, K)`` of a trained network, joined with the planes.
        weights: file of a trained network, for ``learned`` or ``correspondence``.
        threads: cores to use; None asks ``OMP_NUM_THREADS``, then takes all.

    Returns:
        Soft classes and a reliability per voxel; annotated voxels are exactly as drawn.

    Raises:
        InputError: label on another grid, class out of range, unknown name, only empty planes.
        NotReadyError: no plane has been annotated yet.
    """
    check_input(image, sparse_label, spacing_mm, class_count)
    if network_probabilities is not None:
        check_network(network_probabilities, class_count, image.shape)
    resources = Resources(threads=thread_count(threads), weights=weights)
    if isinstance(propagator, str):
        propagator = make_propagator(propagator, resources)
    judge = Judge(propagator=propagator, end_rule=end_rule)

    def carry(label: SparseLabel) -> PseudoLabel:
        """The whole propagation of a label; the calibration repeats it with planes left out."""
        return _carry(image, label, spacing_mm, class_count, judge, range_slices)

    if sparse_label.is_dense:
        result = Fusion(class_count, sparse_label.shape).result(best_dice=False)
        return _with_annotation(result, sparse_label)
    result = calibrate(carry(sparse_label), sparse_label, carry)
    if network_probabilities is not None:
        result = join(result, network_probabilities, sparse_label, spacing_mm)
    return _with_annotation(result, sparse_label)


def _carry(
    image: ImageArray,
    label: SparseLabel,
    spacing_mm: SpacingMm,
    class_count: int,
    judge: Judge,
    range_slices: int | None,
) -> PseudoLabel:
    """Every direction that was drawn is carried by itself; the fusion weighs them."""
    fusion = Fusion(class_count, label.shape)
    for axis in sorted({plane.axis for plane in label.planes}):
        stack = make_stack(image, axis, spacing_mm)
        drawn = drawn_slices(
            label, axis, class_count, spacing_mm=spacing_mm, range_slices=range_slices
        )
        judge.add(fusion, stack, axis, drawn)
    return fusion.result(best_dice=judge.end_rule == "learned")


def _with_annotation(result: PseudoLabel, label: SparseLabel) -> PseudoLabel:
    """Annotated voxels are exactly as drawn, with reliability 1."""
    for value, probability in enumerate(result.probabilities):
        np.copyto(probability, label.classes == value, where=label.annotated)
    result.reliability[label.annotated] = 1.0
    return result
