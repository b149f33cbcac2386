"""What 3D Slicer's MONAI Label module sends and reads, without Slicer.

Written from the module's contract (MONAILabel.py of MONAI Label 0.8.5: ``onNextSampleButton``,
``initSample``, ``onClickSegmentation``, ``updateSegmentationMask``, ``onSaveLabel``,
``monitorTraining``) and from Slicer's ``ImportLabelmapToSegmentationNode``, whose n-th segment id
takes the value n. Requests go through MONAI Label's own client, as the module's do.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import nibabel
import numpy as np
import requests
import SimpleITK as sitk
from monailabel.client.client import MONAILabelClient
from numpy.typing import NDArray

SKIPPED = ("background", "foreground_scribbles", "background_scribbles")
"""Segments that are not exported, though they count in ``label_info``'s ``idx``."""

FIRST_LOOK_S = 5.0
"""The module's timer: a training that was started is looked at after this time, not at once."""

Mask = NDArray[np.bool_]


@dataclass
class Loaded:
    """The scene after "Next Sample".

    Attributes:
        sample: the server's answer.
        file: the image that was opened, on the server's disk or downloaded.
        node_name: what the volume is called on screen.
        segments: name → ``(I, J, K)`` mask, in screen order.
        draft: True if a draft was found under the tag ``original``.
        model: the model that ran by itself; empty if none did.
        params: what that model's answer said.
    """

    sample: dict[str, Any]
    file: Path
    node_name: str
    segments: dict[str, Mask] = field(default_factory=dict)
    draft: bool = False
    model: str = ""
    params: dict[str, Any] = field(default_factory=dict)


class SlicerClient:
    """One annotator at one Slicer.

    Args:
        url: the server's address.
        folder: where files are saved.
        client_id: the annotator's name in the module's settings.
        token: typed as the password if the server asks for a login.
    """

    def __init__(
        self, url: str, folder: Path, client_id: str = "slicer-user", *, token: str = ""
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.client = MONAILabelClient(url, str(self.folder), client_id)
        if self.client.auth_enabled():
            self.client.update_auth(self.client.auth_token(client_id, token))
        self.url = url
        self.info: dict[str, Any] = self.client.info()

    def next_sample(self, strategy: str, *, on_this_machine: bool = True) -> Loaded:
        """The button "Next Sample".

        Args:
            strategy: name in the strategy box.
            on_this_machine: False if the server's disk cannot be seen, so that files are fetched.

        Raises:
            requests.HTTPError: the file could not be fetched: the module sends no token with it.
        """
        return self.open(self.ask(strategy), on_this_machine=on_this_machine)

    def ask(self, strategy: str) -> dict[str, Any]:
        """The request behind the button "Next Sample"."""
        options = self._options("strategies", strategy)
        sample: dict[str, Any] = self.client.next_sample(strategy, options)
        return sample

    def open(self, sample: dict[str, Any], *, on_this_machine: bool = True) -> Loaded:
        """What the module does with the answer: volume, draft, empty segments, first model."""
        image_id, path = sample["id"], sample.get("path")
        name = sample.get("name", image_id)
        if on_this_machine and path and os.path.exists(path):
            file = Path(path)
        else:
            file = self._download(image_id, name)
        loaded = Loaded(sample, file, sample.get("PatientID", name))
        self._load_draft(loaded)
        for label in self.info["labels"]:
            loaded.segments.setdefault(label, np.zeros(nibabel.load(file).shape, bool))
        for label in self.info["labels"]:
            for model, about in self.info["models"].items():
                if label in about.get("labels", []):
                    self.run(loaded, model)
                    return loaded
        return loaded

    def run(self, loaded: Loaded, model: str) -> None:
        """The button "Run" of the section "Auto Segmentation"."""
        params = {
            **self._options("models", model),
            "result_extension": ".nrrd",
            "result_dtype": "uint8",
        }
        result, answer = self.client.infer(model, loaded.sample["id"], params)
        names = (answer or {}).get("label_names") or self.info["models"][model]["labels"]
        if isinstance(names, dict):
            names = [name for name, _ in sorted(names.items(), key=lambda item: item[1])]
        loaded.model, loaded.params = model, answer
        if result:
            import_labelmap(loaded.segments, Path(result), names)

    def submit(self, loaded: Loaded, *, ending: str = ".nii.gz") -> dict[str, Any]:
        """The button "Submit Label"; ``.seg.nrrd`` is the setting "allow overlapping segments"."""
        label_info = [
            {"name": name, "idx": index}
            for index, name in enumerate(loaded.segments, start=1)
            if name not in SKIPPED
        ]
        image = sitk.ReadImage(str(loaded.file))
        file = self.folder / f"label{ending}"
        if ending == ".seg.nrrd":
            _write_segmentation(loaded.segments, image, file)
        else:
            _write_labelmap(loaded.segments, image, file)
        params = {"label_info": label_info}
        answer: dict[str, Any] = self.client.save_label(
            loaded.sample["id"], str(file), params=params
        )
        return answer

    def train(self, trainer: str, **changes: Any) -> dict[str, Any]:
        """The button "Train", with options as the table shows them, some changed by the user."""
        options = {**self._options("trainers", trainer), **changes}
        started: dict[str, Any] = self.client.train_start(trainer, options)
        return started

    def progress(self) -> tuple[float, float]:
        """Training bar in per cent and accuracy bar, as ``monitorTraining`` computes them."""
        stats: dict[str, Any] = next(iter(self.client.info()["train_stats"].values()), {})
        current = 0 if stats.get("total_time") else stats.get("epoch", 1)
        return max(1, 100 * current / stats.get("total_epochs", 1)), stats.get("best_metric", 0)

    def is_training(self) -> bool:
        """Whether the module would go on polling."""
        status = self.client.train_status(False)
        return bool(status) and status.get("status") == "RUNNING"

    def _options(self, section: str, name: str) -> dict[str, Any]:
        """The options table: of a list the first entry is chosen."""
        config = self.info.get(section, {}).get(name, {}).get("config", {})
        return {key: v[0] if isinstance(v, list) else v for key, v in config.items()}

    def _download(self, image_id: str, name: str) -> Path:
        file = self.folder / name
        answer = requests.get(
            f"{self.url}/datastore/image?image={quote_plus(image_id)}", timeout=60
        )
        answer.raise_for_status()
        file.write_bytes(answer.content)
        return file

    def _load_draft(self, loaded: Loaded) -> None:
        image_id = loaded.sample["id"]
        try:
            info = self.client.datastore()["objects"][image_id]["labels"]["original"]["info"]
        except KeyError:
            return  # the module prints "Original label not found"
        names: Mapping[str, int] | list[str] = info.get("params", {}).get("label_names", {})
        listed = list(names.keys()) if isinstance(names, dict) and names else self.info["labels"]
        file = self.client.download_label(image_id, "original")
        import_labelmap(loaded.segments, Path(file), listed)
        loaded.draft = True


def import_labelmap(segments: dict[str, Mask], file: Path, names: list[str]) -> None:
    """Slicer's import: each listed segment is cleared, the n-th gets the voxels of value n."""
    values = sitk.GetArrayFromImage(sitk.ReadImage(str(file))).T
    listed = [name for name in names if name != "background"]
    for number, name in enumerate(listed, start=1):
        segments[name] = values == number


def _write_labelmap(segments: Mapping[str, Mask], image: Any, file: Path) -> None:
    """``ExportSegmentsToLabelmapNode``: values 1..n over the exported segments, later ones win."""
    exported = [mask for name, mask in segments.items() if name not in SKIPPED]
    values = np.zeros(image.GetSize(), np.uint8)
    for number, mask in enumerate(exported, start=1):
        values[mask] = number
    label = sitk.GetImageFromArray(np.ascontiguousarray(values.T))
    label.CopyInformation(image)
    sitk.WriteImage(label, str(file))


def _write_segmentation(segments: Mapping[str, Mask], image: Any, file: Path) -> None:
    """A ``.seg.nrrd`` as Slicer saves the whole segmentation node: one layer, all segments."""
    values = np.zeros(image.GetSize(), np.uint8)
    for number, mask in enumerate(segments.values(), start=1):
        values[mask] = number
    label = sitk.GetImageFromArray(np.ascontiguousarray(values.T))
    label.CopyInformation(image)
    extent = " ".join(f"0 {size - 1}" for size in image.GetSize())
    for number, name in enumerate(segments):
        header = {
            "ID": f"Segment_{number + 1}",
            "Name": name,
            "LabelValue": str(number + 1),
            "Layer": "0",
            "Color": "0.5 0.7 0.3",
            "Extent": extent,
        }
        for key, value in header.items():
            label.SetMetaData(f"Segment{number}_{key}", value)
    label.SetMetaData("Segmentation_ContainedRepresentationNames", "Binary labelmap|")
    label.SetMetaData("Segmentation_MasterRepresentation", "Binary labelmap")
    sitk.WriteImage(label, str(file), useCompression=True)
