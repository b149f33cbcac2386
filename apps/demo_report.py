"""From a finished run to its report: which volumes to show, and their maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spss.annotation import Plane, SparseLabel
from spss.datasets import Case
from spss.types import ClassMap
from spss.volumes import Volume, read_image, read_label
from spss_apps.demo_record import DemoRecord, DrawnPlane
from spss_apps.demo_setup import Demo
from spss_apps.measuring import dice_of
from spss_apps.pictures import View, comparison, learning_curve, plane_picture
from spss_apps.report import Figure, write_report

if TYPE_CHECKING:
    from spss.inference import Predictor

ROWS = (0.25, 0.5, 0.75)
"""Planes of a comparison, as shares of the organ's extent."""


def write_demo_report(demo: Demo, record: DemoRecord, model: Path) -> Path:
    """Draws all pictures and writes ``report.html``.

    Args:
        demo: the run's folders.
        record: its numbers.
        model: folder of the model that the server serves at the end.

    Returns:
        The report's path.
    """
    cases = {case.name: case for case in demo.pool}
    volumes = {name: read_image(cases[name].image) for name in _drawn_names(record)}
    truths = {name: _truth(cases[name]) for name in volumes}
    pictures = [
        plane_picture(
            volumes[item.question.image_id], truths[item.question.image_id], item.question.plane
        )
        for item in record.planes
    ]
    path = demo.options.out / "report.html"
    write_report(
        path,
        record,
        curve=_curve(record),
        planes=pictures,
        comparisons=_comparisons(demo, record, model),
    )
    return path


def _drawn_names(record: DemoRecord) -> list[str]:
    return sorted({item.question.image_id for item in record.planes})


def _truth(case: Case) -> ClassMap:
    assert case.label is not None  # the demo uses labelled volumes only
    return read_label(case.label)


def _curve(record: DemoRecord) -> bytes:
    planes = [item.planes_in_all for item in record.rounds]
    names = [*record.class_names[1:], "mean"]
    dice = {name: [item.test_dice[name] for item in record.rounds] for name in names}
    return learning_curve(planes, dice, [item.interval for item in record.rounds])


def _comparisons(demo: Demo, record: DemoRecord, model: Path) -> list[Figure]:
    """A volume that was drawn in, then test volumes."""
    from spss.inference import Predictor

    predictor = Predictor.load(model)
    cases = {case.name: case for case in demo.pool}
    middle = _median_draft(record.planes)
    drawn = cases[middle.question.image_id]
    figures = [_drawn_figure(demo, record, drawn, predictor)]
    axis = middle.question.plane.axis
    figures += [_test_figure(demo, case, axis, predictor) for case in demo.test[:2]]
    return figures


def _median_draft(planes: Sequence[DrawnPlane]) -> DrawnPlane:
    """The plane whose propagation is neither the best nor the worst of the run."""
    ordered = sorted(planes, key=lambda item: item.draft_dice)
    return ordered[len(ordered) // 2]


def _drawn_figure(demo: Demo, record: DemoRecord, case: Case, predictor: Predictor) -> Figure:
    """Drawn plane, what was carried, prediction and truth of one volume."""
    from spss.propagation import propagate

    volume, truth = read_image(case.image), _truth(case)
    planes = [item.question.plane for item in record.planes if item.question.image_id == case.name]
    label = SparseLabel.from_planes(truth, planes)
    count = len(demo.class_names)
    draft = propagate(volume.data, label, spacing_mm=volume.spacing_mm, class_count=count)
    carried = draft.probabilities.argmax(axis=0).astype(np.uint8)
    answer = predictor.predict(volume, uncertainty=True)
    views = [
        View("image"),
        View("propagated", classes=carried),
        View("reliability", map=draft.reliability),
        View("predicted", classes=answer.classes),
        View("uncertainty", map=answer.uncertainty),
        View("truth", classes=truth),
    ]
    rows = _rows(volume, truth, planes[0].axis, planes)
    names = ", ".join(f"{plane.index}" for plane in planes)
    kind = planes[0].anatomical_name(volume.affine)
    caption = (
        f"Drawn: {kind} plane {names}. Propagation has Dice {dice_of(carried, truth, count):.2f}, "
        f"the network's prediction {dice_of(answer.classes, truth, count):.2f} against the truth "
        "that nobody gave to the server. Bright means reliable, and uncertain."
    )
    return Figure(
        f"{case.name}, a volume with a drawn plane.", caption, comparison(volume, views, rows)
    )


def _test_figure(demo: Demo, case: Case, axis: int, predictor: Predictor) -> Figure:
    """Prediction, uncertainty and truth of a volume that the server never saw."""
    volume, truth = read_image(case.image), _truth(case)
    answer = predictor.predict(volume, uncertainty=True)
    views = [
        View("image"),
        View("predicted", classes=answer.classes),
        View("uncertainty", map=answer.uncertainty),
        View("truth", classes=truth),
    ]
    dice = dice_of(answer.classes, truth, len(demo.class_names))
    rows = _rows(volume, truth, axis)
    return Figure(
        f"{case.name}, a test volume.",
        f"The server never saw it before. Dice {dice:.2f}.",
        comparison(volume, views, rows),
    )


def _rows(
    volume: Volume, truth: ClassMap, axis: int, drawn: Sequence[Plane] = ()
) -> list[tuple[str, Plane]]:
    """Planes of one family through the organ, the drawn ones among them."""
    others = tuple(other for other in range(3) if other != axis)
    filled = np.flatnonzero((truth > 0).any(axis=others))
    low, high = (int(filled[0]), int(filled[-1])) if filled.size else (0, truth.shape[axis] - 1)
    indices = {round(low + share * (high - low)) for share in ROWS}
    indices.update(plane.index for plane in drawn if plane.axis == axis)
    rows = []
    for index in sorted(indices):
        plane = Plane(axis, index)
        name = f"{plane.anatomical_name(volume.affine)} {index}"
        rows.append((f"{name} (drawn)" if plane in drawn else name, plane))
    return rows
