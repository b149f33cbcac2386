"""The trained model on disk: ``model.pt`` with weights and settings, ``config.json`` to read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spss.errors import InputError, NotReadyError
from spss.networks import Segmenter, build_segmenter
from spss.training.plan import Plan
from spss.volumes import replace_atomically

FORMAT = 1
MODEL = "model.pt"
CONFIG = "config.json"


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to predict.

    Attributes:
        class_names: of the data set, background first.
        classes: class index of each output of the network.
        plan: see `Plan`.
        training: method, options, seed, iterations, …: for people and for reports.
    """

    class_names: tuple[str, ...]
    classes: tuple[int, ...]
    plan: Plan
    training: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "format": FORMAT,
            "class_names": list(self.class_names),
            "classes": list(self.classes),
            "plan": self.plan.to_json(),
            "training": self.training,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ModelConfig:
        """Inverse of ``to_json``."""
        return cls(
            tuple(values["class_names"]),
            tuple(values["classes"]),
            Plan.from_json(values["plan"]),
            values["training"],
        )


def save_model(folder: Path, config: ModelConfig, network: nn.Module) -> None:
    """Writes both files, each atomically.

    ``model.pt`` holds the settings as well, so that a kill between the two writes can never leave
    weights with the settings of another training.
    """
    document = json.dumps(config.to_json(), indent=1, ensure_ascii=False)
    weights = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    with replace_atomically(folder / MODEL) as unfinished:
        torch.save({"format": FORMAT, "config": document, "weights": weights}, unfinished)
    with replace_atomically(folder / CONFIG) as unfinished:
        unfinished.write_text(document + "\n", encoding="utf-8")


def load_model(folder: Path, device: torch.device) -> tuple[ModelConfig, Segmenter]:
    """Reads a model; only tensors and plain values are unpickled.

    Raises:
        NotReadyError: if there is no model in the folder.
        InputError: if the file is damaged, of another version, or its weights do not fit.
    """
    path = Path(folder) / MODEL
    if not path.is_file():
        msg = f"There is no trained model in {folder}: train one with 'spss train' first."
        raise NotReadyError(msg)
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        config = ModelConfig.from_json(json.loads(content["config"]))
        weights = content["weights"]
    except Exception as error:  # torch raises many kinds for a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"Model {path} cannot be read ({reason[:200]}): train it again."
        raise InputError(msg) from error
    network = build_segmenter(
        config.plan.architecture,
        class_count=len(config.classes),
        embedding_channels=int(config.training.get("embedding_channels", 0)),
    )
    _check_weights(network, weights, path)
    network.load_state_dict(weights)
    return config, network.to(device).eval()


def _check_weights(network: nn.Module, weights: dict[str, Any], path: Path) -> None:
    """Names the first weight that is missing, unknown or of another shape."""
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            msg = (
                f"Model {path} does not fit its own settings: weight {name} has shape "
                f"{found.get(name)} but the network needs {expected.get(name)}; train it again."
            )
            raise InputError(msg)
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        msg = f"Model {path} has weights that are no numbers ({broken[0]}): train it again."
        raise InputError(msg)
