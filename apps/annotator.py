"""An annotator who knows the truth and draws one plane at a time, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spss.annotation import Plane
from spss.datasets import Case
from spss.errors import InputError
from spss.types import ClassMap
from spss.volumes import read_image, read_label, write_label
from spss_apps.client import answering

if TYPE_CHECKING:
    from monailabel.client import MONAILabelClient


@dataclass(frozen=True)
class Question:
    """What the server asked for.

    Attributes:
        image_id: the volume.
        plane: the suggested plane.
        plane_name: ``sagittal``, ``coronal`` or ``axial``.
        reason: in the server's words.
        score: what the strategy ranked by.
    """

    image_id: str
    plane: Plane
    plane_name: str
    reason: str
    score: float


class SimulatedAnnotator:
    """Asks for the next sample, draws the suggested plane from the truth and submits it."""

    def __init__(
        self,
        client: MONAILabelClient,
        cases: Sequence[Case],
        class_names: Sequence[str],
        *,
        folder: Path,
    ) -> None:
        """Prepares an annotator.

        Args:
            client: connected to the server.
            cases: the volumes of the server, with their true labels.
            class_names: background first.
            folder: where submitted and downloaded label maps are kept.
        """
        self._client = client
        self._cases = {case.name: case for case in cases}
        self._class_names = tuple(class_names)
        self._folder = folder
        self._has_drawn: dict[str, bool] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def ask(self, strategy: str, *, axis: str = "auto", seed: int = 0) -> Question:
        """The next sample.

        Args:
            strategy: name of a suggestion strategy.
            axis: ``auto`` or the voxel axis across the planes.
            seed: decides between volumes that are alike.

        Raises:
            InputError: the server refused, has nothing left, or named an unknown volume.
        """
        with answering("say what to draw next"):
            sample = self._client.next_sample(strategy, {"axis": axis, "seed": seed})
        if not sample:
            msg = "The server has no plane left to suggest: ask for fewer planes or rounds."
            raise InputError(msg)
        if sample["id"] not in self._cases:
            msg = f"The server suggests image {sample['id']}, which the data set does not have."
            raise InputError(msg)
        return _question(sample)

    def draw(self, question: Question) -> str:
        """Draws the asked plane, and only that, and submits it as Slicer would.

        Returns:
            What the server understood, in its words.
        """
        case = self._cases[question.image_id]
        volume = read_image(case.image)
        drawn = np.zeros(volume.shape, np.uint8)
        drawn[question.plane.slices] = self.truth(question.image_id)[question.plane.slices]
        self._has_drawn[case.name] = self._has_drawn.get(case.name, False) or bool(drawn.any())
        path = self._folder / f"drawn_{case.name}.nii.gz"
        write_label(path, drawn, like=volume)
        plane = {"axis": question.plane.axis, "index": question.plane.index}
        params = {"label_info": self._label_info(), "annotated_planes": [plane]}
        with answering(f"take a plane of {case.name}"):
            answer = self._client.save_label(case.name, str(path), params=params)
        return str(answer.get("understood", ""))

    def propagated(self, image_id: str) -> ClassMap:
        """The volume that the server makes of the drawn planes.

        All background while every drawn plane is empty: that answers where the organ is not, and
        leaves nothing to propagate.
        """
        if not self._has_drawn.get(image_id):
            return np.zeros_like(self.truth(image_id))
        with answering(f"propagate {image_id}"):
            path, _ = self._client.infer("propagate", image_id, {"result_extension": ".nii.gz"})
        return read_label(path, like=read_image(self._cases[image_id].image))

    def truth(self, image_id: str) -> ClassMap:
        """The true label of a volume."""
        case = self._cases[image_id]
        if case.label is None:
            msg = f"Image {case.name} has no label to draw from."
            raise InputError(msg)
        return read_label(case.label)

    def _label_info(self) -> list[dict[str, Any]]:
        """As Slicer sends it beside a label map."""
        return [
            {"name": name, "idx": index}
            for index, name in enumerate(self._class_names)
            if index > 0
        ]


def _question(sample: Mapping[str, Any]) -> Question:
    """What the server asks to be drawn, from its answer."""
    suggestion = sample["suggestion"]
    return Question(
        image_id=str(sample["id"]),
        plane=Plane(int(suggestion["axis"]), int(suggestion["index"])),
        plane_name=str(suggestion["name"]),
        reason=str(suggestion["reason"]),
        score=float(suggestion["score"]),
    )
