"""How good is the model that the server serves? Asked with volumes it has never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spss.datasets import Case
from spss.metrics import Summary, segmentation_scores, summarise
from spss.types import ClassMap
from spss.volumes import read_image, read_label
from spss_apps.client import answering
from spss_apps.remote_training import MODEL

if TYPE_CHECKING:
    from monailabel.client import MONAILabelClient


def predict_remotely(client: MONAILabelClient, case: Case) -> ClassMap:
    """Uploads a volume to the infer endpoint and reads the label map that comes back.

    Raises:
        InputError: the server refused, or its answer lies on another grid.
    """
    with answering(f"segment {case.name}"):
        path, _ = client.infer(MODEL, "", {"result_extension": ".nii.gz"}, file=str(case.image))
    return read_label(path, like=read_image(case.image))


def measure(
    client: MONAILabelClient,
    cases: Sequence[Case],
    class_names: Sequence[str],
    *,
    on_case: Callable[[], None] = lambda: None,
) -> Summary:
    """Scores of the served model on ``cases``, which have labels.

    Args:
        client: connected to the server.
        cases: test volumes.
        class_names: background first.
        on_case: called after each volume.
    """
    scores = []
    for case in cases:
        assert case.label is not None  # the caller measures on labelled volumes
        volume = read_image(case.image)
        truth = read_label(case.label, like=volume)
        prediction = predict_remotely(client, case)
        scores.append(
            segmentation_scores(
                prediction, truth, spacing_mm=volume.spacing_mm, class_count=len(class_names)
            )
        )
        on_case()
    return summarise(scores, class_names)


def dice_of(prediction: ClassMap, truth: ClassMap, class_count: int) -> float:
    """Mean Dice over the classes that either map has; NaN if neither has any."""
    values = []
    for index in range(1, class_count):
        first, second = prediction == index, truth == index
        size = int(first.sum()) + int(second.sum())
        if size:
            values.append(2 * int((first & second).sum()) / size)
    return float(np.mean(values)) if values else float("nan")
